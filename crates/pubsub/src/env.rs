//! Environment variables: the names of Copilot's, and the error for a wrong setting.

use thiserror::Error;

/// The variable that Copilot sets to the URL of a worker's queue.
pub(crate) const QUEUE_URI: &str = "COPILOT_QUEUE_URI";
/// The variable that Copilot sets to the ARNs of a service's topics, as a JSON object.
pub(crate) const TOPIC_ARNS: &str = "COPILOT_SNS_TOPIC_ARNS";

/// A missing or wrong setting. The text is one sentence: the setting, and what is wrong with it.
///
/// A program exits with code 64 on this error, because a restart would not help.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Misconfigured(pub String);

/// The value of the variable `name`; `None` if it is unset, empty or not Unicode.
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
