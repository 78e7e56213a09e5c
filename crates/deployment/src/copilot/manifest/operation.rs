//! `logging`, `deployment` and `observability`: running a service, observing and replacing it.

use serde::{Deserialize, Deserializer};

use super::overlay::overlay;
use crate::{bare, yaml::wrong};

/// The logs of a service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logging {
    /// For how long they are kept.
    pub retention: Option<RetentionDays>,
}

overlay!(Logging: merges(), replaces(retention));

/// A number of days that CloudWatch accepts.
#[derive(Clone, Copy, Debug)]
pub struct RetentionDays(pub u32);

impl<'de> Deserialize<'de> for RetentionDays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The periods that CloudWatch accepts, up to ten years.
        const DAYS: [u32; 22] = [
            1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557,
            2922, 3288, 3653,
        ];
        let days: u32 = bare::required(deserializer)?;
        if DAYS.contains(&days) {
            Ok(Self(days))
        } else {
            Err(wrong(format!("CloudWatch keeps logs for {DAYS:?} days, not {days}")))
        }
    }
}

/// How a new version replaces the old one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// How.
    pub rolling: Option<Rolling>,
}

/// How new tasks replace old ones.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum Rolling {
    /// Old ones run until new ones are healthy.
    Default,
    /// Old ones stop first.
    Recreate,
}

impl TryFrom<String> for Rolling {
    type Error = String;

    /// Copilot takes either case.
    fn try_from(text: String) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "default" => Ok(Self::Default),
            "recreate" => Ok(Self::Recreate),
            _ => Err(format!("{text:?} is not default or recreate")),
        }
    }
}

overlay!(Rollout: merges(), replaces(rolling));

/// The traces of a service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observability {
    #[serde(rename = "tracing")]
    _tracing: Tracing,
}

/// Copilot supports one vendor and ignores others, so a typo would turn tracing off.
#[derive(Clone, Debug)]
struct Tracing;

impl<'de> Deserialize<'de> for Tracing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            // Copilot takes either case.
            vendor if vendor.eq_ignore_ascii_case("awsxray") => Ok(Self),
            vendor => {
                Err(wrong(format!("{vendor:?} traces nothing: Copilot supports only awsxray")))
            }
        }
    }
}
