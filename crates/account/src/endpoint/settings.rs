//! Where an endpoint listens, and the account and region of its resources.

use std::net::{IpAddr, SocketAddr};

use pubsub::env;

use super::script::Script;
use crate::habits::partitions::WRITES_PER_SECOND;

/// The account that every embedded resource belongs to.
pub const ACCOUNT_ID: &str = "000000000000";
/// The region if the environment variables name none.
pub const DEFAULT_REGION: &str = "us-east-1";

/// The addresses of an endpoint, and its region.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address to listen on; with port 0 the system picks a free port.
    pub listen: SocketAddr,
    /// The host in queue URLs, by which the services reach this machine.
    pub public_host: String,
    /// The port in queue URLs, if the services reach it through a proxy.
    pub public_port: Option<u16>,
    /// The region of every resource.
    pub region: String,
    /// The seed of the [habits](crate::habits) of AWS, if it has any.
    pub habits: Option<u64>,
    /// How many writes a second a partition of a table or an index takes, with these habits.
    pub partition_writes: u32,
    /// What Textract answers, instead of reading documents.
    pub textract: Option<Script>,
}

impl Settings {
    /// An endpoint for this machine only; with port 0 the system picks a free port.
    pub fn loopback(port: u16) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], port)),
            public_host: IpAddr::from([127, 0, 0, 1]).to_string(),
            public_port: None,
            region: region(),
            habits: None,
            partition_writes: WRITES_PER_SECOND,
            textract: None,
        }
    }

    /// The same with a Textract that answers by a script.
    pub fn scripted(self, textract: Script) -> Self {
        Self { textract: Some(textract), ..self }
    }

    /// The same with the [habits](crate::habits) of AWS, drawn from a seed.
    pub fn like_aws(self, seed: u64) -> Self {
        Self { habits: Some(seed), ..self }
    }
}

/// The region in the environment variables, or [`DEFAULT_REGION`].
pub fn region() -> String {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(env::optional)
        .unwrap_or_else(|| DEFAULT_REGION.to_owned())
}
