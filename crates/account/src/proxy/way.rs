//! The ways in which something can be unavailable, by names that a person types.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    outage::{Broken, Calls, Outage},
    plan::Fault,
};

/// How late a slow answer is.
const SLOW: Duration = Duration::from_secs(2);

/// A way in which something is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Way {
    /// It answers 500.
    ServerError,
    /// It answers that there are too many requests.
    Throttled,
    /// It does not answer.
    Hanging,
    /// Its connections are reset.
    Reset,
    /// Its connections are refused.
    Refused,
    /// What it is asked for happens, but its answers are lost.
    AnswerLost,
    /// It answers that the caller lacks the permission.
    Denied,
    /// It answers half of the calls, and 500 to the others.
    Half,
    /// It answers 2 s late.
    Slow,
}

impl Way {
    /// All of them, with their names.
    pub const ALL: [(Self, &str); 9] = [
        (Self::ServerError, "5xx"),
        (Self::Throttled, "throttled"),
        (Self::Hanging, "hanging"),
        (Self::Reset, "reset"),
        (Self::Refused, "refused"),
        (Self::AnswerLost, "answer-lost"),
        (Self::Denied, "denied"),
        (Self::Half, "half"),
        (Self::Slow, "slow"),
    ];

    /// An outage of these calls. Calls cannot be refused, since they share their connections with
    /// others: their connections are reset.
    pub fn of_calls(self, of: Vec<Calls>) -> Outage {
        let fault = match self {
            Self::ServerError | Self::Half => Fault::ServerError,
            Self::Throttled => Fault::Throttle,
            Self::Hanging => Fault::Hang,
            Self::Reset | Self::Refused => Fault::Reset,
            Self::AnswerLost => Fault::AnswerLost,
            Self::Denied => Fault::Denied,
            Self::Slow => Fault::Stall(SLOW),
        };
        Outage::Calls { of, fault, percent: if self == Self::Half { 50 } else { 100 } }
    }

    /// An outage of all connections. None of them answers, so what would need an answer is a reset.
    pub fn of_connections(self) -> Outage {
        Outage::Connections(match self {
            Self::Hanging => Broken::Silent,
            Self::Half => Broken::Reset(50),
            Self::Slow => Broken::Slow(SLOW),
            Self::Refused => Broken::Refused,
            _ => Broken::Reset(100),
        })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::ALL.iter().find(|(it, _)| it == self).map_or("", |(_, name)| name))
    }
}

impl FromStr for Way {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, it)| *it == name).map(|(way, _)| *way);
        found.ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name).join(", ");
            format!("{name:?} is none of {names}")
        })
    }
}

impl TryFrom<String> for Way {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<Way> for String {
    fn from(way: Way) -> Self {
        way.to_string()
    }
}
