//! `type`: the types of services.

use std::fmt;

use serde::Deserialize;

/// The types of services that this product uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum ServiceType {
    /// Behind a load balancer.
    #[serde(rename = "Load Balanced Web Service")]
    LoadBalanced,
    /// Behind a queue.
    #[serde(rename = "Worker Service")]
    Worker,
}

impl fmt::Display for ServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LoadBalanced => "Load Balanced Web Service",
            Self::Worker => "Worker Service",
        })
    }
}
