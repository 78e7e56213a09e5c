//! The environment: the names of Copilot's variables, and what is wrong with a setting.

use thiserror::Error;

/// The variable in which Copilot puts the URL of a worker's queue.
pub const QUEUE_URI: &str = "COPILOT_QUEUE_URI";
/// The variable in which Copilot puts the ARNs of a service's own topics, as a JSON object.
pub const TOPIC_ARNS: &str = "COPILOT_SNS_TOPIC_ARNS";

/// A setting that is missing or wrong: one sentence that says which, and what it should be.
///
/// A program exits with code 64 for it, because a restart would not help.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Misconfigured(pub String);

/// The value of the variable `name`, unless it is unset, empty or not Unicode.
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
