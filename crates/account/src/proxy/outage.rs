//! Outages: parts of AWS that fail for a while, each in one way.

use std::time::Duration;

use super::{call::Call, plan::Fault};

/// A part of AWS that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Calls that reach AWS and fail there.
    Calls {
        /// Which calls.
        of: Vec<Calls>,
        /// How they fail.
        fault: Fault,
        /// How many of them fail, in percent; with 100 or more, all of them do.
        percent: u8,
    },
    /// Connections. Those that are open when it begins are cut.
    Connections(Broken),
}

/// The calls of an operation, a service or a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// What the operation's name begins with, such as `SQS.Delete` or `SNS.`; if empty, any.
    pub operation: String,
    /// What the request contains, such as the name of a table; if empty, anything.
    pub mentions: String,
}

/// How new connections fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Nothing listens.
    Refused,
    /// They are accepted, and nothing answers.
    Silent,
    /// They are accepted and reset, in this percentage of cases.
    Reset(u8),
    /// They are served after this time.
    Slow(Duration),
}

impl Outage {
    /// Every call.
    pub fn of_all_calls(fault: Fault) -> Self {
        Self::Calls { of: vec![Calls::default()], fault, percent: 100 }
    }

    /// The fault of a call; `None` if it does not fail, or not in this case.
    pub(super) fn fault_of(&self, call: &Call, body: &[u8]) -> Option<Fault> {
        let Self::Calls { of, fault, percent } = self else { return None };
        let name = call.to_string();
        let text = String::from_utf8_lossy(body);
        let is_one =
            |it: &Calls| name.starts_with(&it.operation) && text.contains(it.mentions.as_str());
        (of.iter().any(is_one) && happens(*percent)).then_some(*fault)
    }

    /// How connections fail, if they do.
    pub(super) fn broken(&self) -> Option<Broken> {
        match self {
            Self::Connections(broken) => Some(*broken),
            Self::Calls { .. } => None,
        }
    }
}

impl Broken {
    /// Its name in tables and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::Silent => "silent connection",
            Self::Reset(_) => "connection reset",
            Self::Slow(_) => "slow connection",
        }
    }
}

/// Whether something happens that does in this percentage of cases.
pub(super) fn happens(percent: u8) -> bool {
    percent >= 100 || rand::random_range(0..100) < percent
}
