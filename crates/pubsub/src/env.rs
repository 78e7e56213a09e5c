//! Settings from the environment: what Copilot injects, and nothing else.

use std::{collections::BTreeMap, str::FromStr};

use thiserror::Error;

/// A variable that is missing or wrong: one sentence that says which, and what it should be.
///
/// A program ends with exit code 64 for it, because starting it again would not help.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Misconfigured(pub String);

/// The value of the variable `name`.
///
/// # Errors
///
/// [`Misconfigured`] if it is not set, empty, or not Unicode.
pub fn required(name: &str) -> Result<String, Misconfigured> {
    optional(name)?.ok_or_else(|| {
        Misconfigured(format!(
            "{name} is not set: Copilot injects it, and so does `cargo run -p local`"
        ))
    })
}

/// The value of the variable `name`, or `default` if it is not set.
///
/// # Errors
///
/// [`Misconfigured`] if it is set to something else than `expected` says.
pub fn parsed<T: FromStr>(name: &str, default: T, expected: &str) -> Result<T, Misconfigured> {
    match optional(name)? {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| Misconfigured(format!("{name} is {text:?}, but should be {expected}"))),
    }
}

/// Whether the variable `name` is `on`; `default` if it is not set.
///
/// # Errors
///
/// [`Misconfigured`] if it is neither `on` nor `off`.
pub fn switch(name: &str, default: bool) -> Result<bool, Misconfigured> {
    match optional(name)?.as_deref() {
        None => Ok(default),
        Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(other) => Err(Misconfigured(format!("{name} is {other:?}, but should be on or off"))),
    }
}

/// The ARN of the topic that the manifest calls `name`, out of `COPILOT_SNS_TOPIC_ARNS`.
///
/// A FIFO topic has `.fifo` after its name there and in its ARN; either is found.
///
/// # Errors
///
/// [`Misconfigured`] if the variable is not a JSON object, or has no such topic.
pub fn topic_arn(name: &str) -> Result<String, Misconfigured> {
    const VARIABLE: &str = "COPILOT_SNS_TOPIC_ARNS";
    find_topic(&required(VARIABLE)?, name).map_err(|why| Misconfigured(format!("{VARIABLE} {why}")))
}

fn find_topic(json: &str, name: &str) -> Result<String, String> {
    let mut arns: BTreeMap<String, String> = serde_json::from_str(json)
        .map_err(|error| format!("is not a JSON object of topic names and ARNs: {error}"))?;
    arns.remove(name).or_else(|| arns.remove(&format!("{name}.fifo"))).ok_or_else(|| {
        let known = arns.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("has no topic {name:?}, only: {known}")
    })
}

/// The value of the variable `name`, if it is set.
///
/// # Errors
///
/// [`Misconfigured`] if it is not Unicode.
pub fn optional(name: &str) -> Result<Option<String>, Misconfigured> {
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Misconfigured(format!("{name} is not Unicode text")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::find_topic;

    #[test]
    fn a_topic_is_found_with_and_without_fifo() {
        let arns = r#"{"ordersTopic":"arn:a","audit.fifo":"arn:b.fifo"}"#;
        assert_eq!(find_topic(arns, "ordersTopic").as_deref(), Ok("arn:a"));
        assert_eq!(find_topic(arns, "audit").as_deref(), Ok("arn:b.fifo"));
        let error = find_topic(arns, "ping").unwrap_err();
        assert!(error.contains("\"ping\"") && error.contains("ordersTopic"), "{error}");
        assert!(find_topic("[]", "ping").is_err());
    }
}
