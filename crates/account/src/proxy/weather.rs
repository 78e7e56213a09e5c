//! The weather: which parts of AWS fail now, each in its own way and for its own time.

use std::{cmp::Reverse, fmt};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    outage::{Calls, Outage},
    part::{DELIVERIES, EVERYTHING, is_call},
    way::Way,
};

/// A day: longer than anybody watches.
const MAX_SECONDS: u64 = 86_400;

/// What a part of AWS does, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weather {
    /// The part: `everything`; a service or an operation, such as `SQS.ReceiveMessage`; the name of
    /// a table, topic or queue, or a part of it; or `deliveries`, those of SNS.
    pub of: String,
    /// What it does.
    pub how: How,
    /// For how long, in seconds.
    pub seconds: u64,
}

/// What a part of AWS does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It fails in this way.
    Fails(Way),
    /// It makes this percentage of deliveries twice.
    Twice(u8),
}

/// Weather that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// What it is.
    pub weather: Weather,
    /// When it ends.
    pub until: Instant,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails(way) => way.fmt(f),
            Self::Twice(percent) => write!(f, "made twice in {percent} % of cases"),
        }
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = if self.of == DELIVERIES { "are" } else { "is" };
        write!(f, "{} {is} {} for {} s", self.of, self.how, self.seconds)
    }
}

impl Weather {
    /// Deliveries of SNS that are made twice.
    pub fn twice(percent: u8, seconds: u64) -> Self {
        Self { of: DELIVERIES.to_owned(), how: How::Twice(percent), seconds }
    }

    /// Whether it can be.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=MAX_SECONDS).contains(&self.seconds) {
            return Err(format!(
                "weather lasts from 1 to {MAX_SECONDS} s, and not {}",
                self.seconds
            ));
        }
        match self.how {
            How::Twice(percent) if !(1..=100).contains(&percent) => {
                Err(format!("{percent} is no percentage from 1 to 100"))
            }
            How::Twice(_) if self.of != DELIVERIES => {
                Err(format!("{} is not delivered; only {DELIVERIES} are made twice", self.of))
            }
            How::Fails(way) if self.of == DELIVERIES => {
                Err(format!("{DELIVERIES} can be made twice, and not be {way}"))
            }
            _ => Ok(()),
        }
    }

    /// The outage that it is for calls.
    pub(super) fn outage(&self) -> Option<Outage> {
        let How::Fails(way) = self.how else { return None };
        let mut calls = Calls::default();
        if is_call(&self.of) {
            calls.operation.clone_from(&self.of);
        } else if self.of != EVERYTHING {
            calls.mentions.clone_from(&self.of);
        }
        Some(way.of_calls(vec![calls]))
    }

    /// Orders parts from the narrow to the wide: a resource, an operation, a service, everything.
    /// What is said of a narrow part holds for it, whatever is said of a wider one.
    pub(super) fn breadth(&self) -> (u8, Reverse<usize>) {
        let kind = match self.of.as_str() {
            EVERYTHING => 3,
            of if is_call(of) => 2,
            _ => 0,
        };
        let is_operation = kind == 2 && self.of.contains('.');
        (kind - u8::from(is_operation), Reverse(self.of.len()))
    }
}

impl Begun {
    /// The weather, with the time that is left.
    pub fn rest(&self) -> Weather {
        let left = self.until.saturating_duration_since(Instant::now());
        let seconds = left.as_millis().div_ceil(1_000).try_into().unwrap_or(MAX_SECONDS);
        Weather { seconds, ..self.weather.clone() }
    }
}
