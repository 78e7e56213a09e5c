//! The topics of a service, by their names in its manifest.

use std::{collections::BTreeMap, str::FromStr};

use aws_config::SdkConfig;
use clap::Args;

use crate::{
    env::{self, Misconfigured},
    topic::Topic,
};

/// The topics of a service, as a group of `clap` arguments.
#[derive(Args, Clone, Debug)]
#[group(skip)] // groups share one namespace with those of the service
pub struct Topics {
    /// The service's topics, as a JSON object of names and ARNs
    #[arg(long, value_name = "JSON", env = env::TOPIC_ARNS, default_value = "{}")]
    topic_arns: Arns,
}

#[derive(Clone, Debug)]
struct Arns(BTreeMap<String, String>);

impl Topics {
    /// The topic that the manifest calls `name`, for publishing. See [`Topics::arn`].
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if the service has no such topic.
    pub fn topic(&self, aws: &SdkConfig, name: &str) -> Result<Topic, Misconfigured> {
        Ok(Topic::new(aws, self.arn(name)?.to_owned()))
    }

    /// The ARN of the topic that the manifest calls `name`.
    ///
    /// `name` finds a FIFO topic too, whose name ends in `.fifo` in the manifest and in the ARN.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if the service has no such topic.
    pub fn arn(&self, name: &str) -> Result<&str, Misconfigured> {
        let Arns(arns) = &self.topic_arns;
        let arn = arns.get(name).or_else(|| arns.get(&format!("{name}.fifo")));
        arn.map(String::as_str).ok_or_else(|| {
            let known = arns.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none" } else { &known };
            Misconfigured(format!("{} has no topic {name:?}; it has: {known}", env::TOPIC_ARNS))
        })
    }
}

impl FromStr for Arns {
    type Err = String;

    fn from_str(json: &str) -> Result<Self, String> {
        let arns = serde_json::from_str(json);
        arns.map(Self).map_err(|error| format!("not a JSON object of names and ARNs: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Topics;

    #[test]
    fn a_name_finds_standard_and_fifo_topics() {
        let arns = r#"{"ordersTopic":"arn:a","audit.fifo":"arn:b.fifo"}"#;
        let topics = Topics { topic_arns: arns.parse().unwrap() };
        assert_eq!(topics.arn("ordersTopic").unwrap(), "arn:a");
        assert_eq!(topics.arn("audit").unwrap(), "arn:b.fifo");
        let error = topics.arn("ping").unwrap_err().to_string();
        assert!(error.contains("\"ping\"") && error.contains("ordersTopic"), "{error}");
    }
}
