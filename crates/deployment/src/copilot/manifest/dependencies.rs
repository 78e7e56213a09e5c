//! `depends_on` of a container: which others have to be in which state before it starts.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

/// The containers that have to be in a state before this one starts.
pub type DependsOn = BTreeMap<String, Spanned<Condition>>;

/// A state of a container. Copilot takes any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Condition {
    /// It was started.
    Start,
    /// It ended.
    Complete,
    /// It ended without failure.
    Success,
    /// Its health check succeeded.
    Healthy,
}

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "start" => Ok(Self::Start),
            "complete" => Ok(Self::Complete),
            "success" => Ok(Self::Success),
            "healthy" => Ok(Self::Healthy),
            _ => Err(format!("{text:?} is not start, complete, success or healthy")),
        }
    }
}
