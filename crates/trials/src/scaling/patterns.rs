//! When messages arrive, and what they take: one at night, a burst, a day, slow work, and a
//! CloudWatch that reports nothing.

use std::{f64::consts::PI, path::Path};

use anyhow::Context as _;
use deployment::{
    Deployment,
    description::{
        operation::Operation,
        scaling::{Metric, Scaling, Target},
    },
};

use pubsub::subscribe::Settings;

use super::{
    measured::Measured,
    plant::Stop,
    task::Work,
    world::{Outcome, World},
};

/// As many tasks as there may be outside the environment `test`.
pub const MAX_TASKS: u32 = 4;
/// The time from the receipt of a message to its end, with a call of DynamoDB or SNS.
const HANDLING_SECONDS: f64 = 0.05;

const HOUR: u64 = 3600;

/// A pattern of arrivals.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// What happens.
    pub name: &'static str,
    /// The name of its plot, if it has one.
    pub plot: Option<&'static str>,
    /// The messages in a second.
    pub rate: fn(u64) -> f64,
    /// The seconds in which CloudWatch gets nothing.
    pub is_blind: fn(u64) -> bool,
    /// Whether the queue was in use in the six hours before.
    pub in_use: bool,
    /// How long a message takes, if it is not one of ours.
    pub seconds: Option<f64>,
    /// How long it goes on.
    pub minutes: u64,
}

/// What the others are different from.
const QUIET: Pattern = Pattern {
    name: "",
    plot: None,
    rate: |_| 0.0,
    is_blind: |_| false,
    in_use: true,
    seconds: None,
    minutes: 120,
};

/// One message, when nothing had happened for six hours.
pub const AT_NIGHT: Pattern = Pattern {
    name: "one message at night",
    plot: Some("night"),
    rate: |second| f64::from(u8::from(second == HOUR)),
    in_use: false,
    ..QUIET
};

/// A day without messages at night.
pub const DAY: Pattern = Pattern {
    name: "a day with up to 1,500 a second",
    plot: Some("day"),
    rate: |second| {
        let of_day = (second as f64 / HOUR as f64 - 6.0) / 16.0;
        if (0.0..1.0).contains(&of_day) { 1500.0 * (PI * of_day).sin() } else { 0.0 }
    },
    minutes: 24 * 60,
    ..QUIET
};

/// All patterns.
pub const PATTERNS: [Pattern; 6] = [
    AT_NIGHT,
    Pattern { name: "one message, an hour after the last", plot: None, in_use: true, ..AT_NIGHT },
    Pattern {
        name: "a burst of 10,000",
        plot: Some("burst"),
        rate: |second| if second == 600 { 10_000.0 } else { 0.0 },
        minutes: 60,
        ..QUIET
    },
    DAY,
    Pattern {
        name: "slow work: 12 a second of 20 seconds",
        plot: Some("slow"),
        rate: |second| if (600..600 + 3 * HOUR).contains(&second) { 12.0 } else { 0.0 },
        seconds: Some(20.0),
        minutes: 300,
        ..QUIET
    },
    Pattern {
        name: "no datapoints for twice half an hour",
        plot: Some("missing"),
        rate: |second| if (900..4 * HOUR).contains(&second) { 700.0 } else { 0.0 },
        is_blind: |second| (600..2400).contains(&second) || (7200..9000).contains(&second),
        minutes: 300,
        ..QUIET
    },
];

/// A worker: how it scales, and how its tasks end.
#[derive(Clone, Debug)]
pub struct Worker {
    /// How it scales.
    pub scaling: Scaling,
    /// How its tasks end.
    pub stop: Stop,
    /// Whether a function of Copilot's reads the queue every minute.
    pub has_function: bool,
}

impl Worker {
    /// The service `name` of the deployment that the files in `directory` describe.
    ///
    /// # Errors
    ///
    /// If they are wrong, or the service does not scale.
    pub fn read(directory: &Path, name: &str) -> anyhow::Result<Self> {
        let deployment: Deployment = deployment::read(directory, "test")?;
        let service = deployment.service(name).with_context(|| format!("no service {name}"))?;
        let Operation { scaling, stop_timeout_seconds, .. } = &service.operation;
        let scaling = scaling.clone().with_context(|| format!("{name} does not scale"))?;
        let most_seconds = stop_timeout_seconds.unwrap_or(30).into();
        let own =
            |it: &Target| it.measure.series.values().any(|series| series.namespace == "Copilot");
        Ok(Self {
            has_function: scaling.targets.values().any(own),
            scaling: Scaling { max_tasks: MAX_TASKS, ..scaling },
            stop: Stop { drain_seconds: settings().drain.as_secs(), most_seconds },
        })
    }

    /// As Copilot makes it: no alarm sets anything off.
    pub fn unpatch(&mut self) {
        self.scaling.steps.clear();
        self.scaling.targets.remove(&Metric::InFlight);
    }

    /// What happens to it.
    pub fn meets(&self, pattern: &Pattern, measured: Measured) -> Outcome {
        let work = Work {
            processor_seconds: Measured::seconds(measured.fulfilment_micros),
            seconds: pattern.seconds.unwrap_or(HANDLING_SECONDS),
            in_flight: settings().max_in_flight as u64,
        };
        World {
            scaling: &self.scaling,
            work,
            stop: self.stop,
            rate: &pattern.rate,
            is_blind: &pattern.is_blind,
            in_use: pattern.in_use,
            has_function: self.has_function,
            minutes: pattern.minutes,
        }
        .run()
    }
}

/// The settings that a worker has if nobody gives it others.
pub fn settings() -> Settings {
    Settings::new(String::new())
}
