//! `type`: the types of services.

use std::fmt;

use serde::Deserialize;

/// The types of services that this product uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ServiceType {
    /// Behind a load balancer.
    LoadBalanced,
    /// Behind a queue.
    Worker,
}

/// The other types that Copilot has.
const OTHERS: [&str; 4] =
    ["Backend Service", "Request-Driven Web Service", "Scheduled Job", "Static Site"];

impl TryFrom<String> for ServiceType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match [Self::LoadBalanced, Self::Worker].into_iter().find(|it| it.to_string() == text) {
            Some(known) => Ok(known),
            None if OTHERS.contains(&text.as_str()) => {
                Err(format!("Copilot takes a {text}, but it is not supported by the local account"))
            }
            None => Err(format!("{text:?} is not {} or {}", Self::LoadBalanced, Self::Worker)),
        }
    }
}

impl fmt::Display for ServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LoadBalanced => "Load Balanced Web Service",
            Self::Worker => "Worker Service",
        })
    }
}
