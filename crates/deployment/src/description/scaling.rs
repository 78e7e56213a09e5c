//! How the number of a service's tasks follows its load: the policies of Application Auto Scaling,
//! and the alarms of CloudWatch that set them off.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::measure::Measure;

/// How the tasks of a service scale.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scaling {
    /// The fewest tasks.
    pub min_tasks: u32,
    /// The most tasks.
    pub max_tasks: u32,
    /// What it aims at.
    pub targets: BTreeMap<Metric, Target>,
    /// What changes the number when an alarm goes off, by name.
    pub steps: BTreeMap<String, Step>,
}

/// What a service scales by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Percent of the processor.
    Cpu,
    /// Percent of the memory.
    Memory,
    /// Requests to each task in a minute.
    Requests,
    /// The response time, in milliseconds.
    ResponseTime,
    /// Messages that wait for each task.
    Waiting,
    /// Messages in flight at each task.
    InFlight,
}

/// The value of a metric to aim at, and the pauses after a change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// What is looked at.
    pub measure: Measure,
    /// The value.
    pub value: f64,
    /// The pause before tasks are taken away.
    pub scale_in_cooldown_seconds: u32,
    /// The pause before tasks are added.
    pub scale_out_cooldown_seconds: u32,
}

/// A policy that an alarm sets off.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The alarm.
    pub alarm: Alarm,
    /// What the numbers of `adjustments` are.
    pub change: Change,
    /// The changes, by how far the measure is from the alarm's threshold.
    pub adjustments: Vec<Adjustment>,
    /// The pause after a change.
    pub cooldown_seconds: u32,
}

/// What a number of tasks is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A difference.
    #[serde(rename = "ChangeInCapacity")]
    By,
    /// The number itself.
    #[serde(rename = "ExactCapacity")]
    To,
}

/// A change within an interval. A bound that is missing is infinite.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Adjustment {
    /// The lower bound, above the threshold.
    pub from: Option<f64>,
    /// The upper bound, above the threshold.
    pub to: Option<f64>,
    /// The tasks.
    pub tasks: i32,
}

/// When an alarm goes off. It looks at minutes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alarm {
    /// What it looks at.
    pub measure: Measure,
    /// How it compares.
    pub comparison: Comparison,
    /// What it compares with.
    pub threshold: f64,
    /// How many minutes it looks at.
    pub periods: usize,
    /// How many of them have to be beyond the threshold.
    pub datapoints: usize,
    /// What a missing datapoint is.
    pub missing: Missing,
}

/// How an alarm compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// At least the threshold.
    #[serde(rename = "GreaterThanOrEqualToThreshold")]
    AtLeast,
    /// More than the threshold.
    #[serde(rename = "GreaterThanThreshold")]
    Above,
    /// At most the threshold.
    #[serde(rename = "LessThanOrEqualToThreshold")]
    AtMost,
    /// Less than the threshold.
    #[serde(rename = "LessThanThreshold")]
    Below,
}

/// What an alarm takes a missing datapoint for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Missing {
    /// One beyond the threshold.
    Breaching,
    /// One that is not.
    NotBreaching,
    /// The alarm stays as it is.
    Ignore,
    /// Without any datapoint, the alarm does not know.
    #[default]
    Missing,
}

impl Comparison {
    /// Whether `value` is beyond `threshold`.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::AtLeast => value >= threshold,
            Self::Above => value > threshold,
            Self::AtMost => value <= threshold,
            Self::Below => value < threshold,
        }
    }
}
