//! What `count` says, with Copilot's defaults.

use std::collections::BTreeMap;

use super::{Cooldown, Count, Goal, QueueDelay, TaskRange};
use crate::{
    copilot::duration::GoDuration,
    description::{
        measure::Measure,
        scaling::{self, Metric, Scaling},
    },
    yaml::ShortOr,
};

/// Copilot's default for the pause before tasks are taken away.
const SCALE_IN_COOLDOWN_SECONDS: u32 = 120;
/// Copilot's default for the pause before tasks are added.
const SCALE_OUT_COOLDOWN_SECONDS: u32 = 60;

impl Count {
    /// How the tasks scale; `None` without a range.
    pub fn described(&self) -> Option<Scaling> {
        let (min_tasks, max_tasks) = match &self.range.as_ref()?.value {
            ShortOr::Short(TaskRange { min, max }) => (*min, *max),
            ShortOr::Long(bounds) => (bounds.min, bounds.max),
        };
        let mut targets = BTreeMap::new();
        let mut aim = |metric, at: Option<(f64, Option<Cooldown>)>| {
            targets.extend(at.map(|(value, own)| (metric, self.target(metric, value, own))));
        };
        aim(Metric::Cpu, self.cpu_percentage.as_ref().map(|it| it.value.at(|it| it.0.into())));
        let memory = self.memory_percentage.as_ref();
        aim(Metric::Memory, memory.map(|it| it.value.at(|it| it.0.into())));
        aim(Metric::Requests, self.requests.as_ref().map(|it| it.value.at(|it| (*it).into())));
        let response = self.response_time.as_ref();
        aim(Metric::ResponseTime, response.map(|it| it.value.at(|it| it.0.as_secs_f64() * 1000.0)));
        aim(Metric::Waiting, self.queue_delay.as_ref().and_then(|it| it.value.at()));
        Some(Scaling { min_tasks, max_tasks, targets, steps: BTreeMap::new() })
    }

    /// A metric has a cooldown of its own, that of `count`, or Copilot's.
    fn target(&self, metric: Metric, value: f64, own: Option<Cooldown>) -> scaling::Target {
        let general = self.cooldown.as_ref().map(|it| it.value.clone());
        let seconds = |of: fn(&Cooldown) -> Option<GoDuration>, default| {
            let given = own.as_ref().and_then(of).or(general.as_ref().and_then(of));
            given.map_or(default, |it| u32::try_from(it.0.as_secs()).unwrap_or(u32::MAX))
        };
        scaling::Target {
            measure: Measure::of(metric.series()),
            value,
            scale_in_cooldown_seconds: seconds(|it| it.r#in, SCALE_IN_COOLDOWN_SECONDS),
            scale_out_cooldown_seconds: seconds(|it| it.out, SCALE_OUT_COOLDOWN_SECONDS),
        }
    }
}

impl<T> ShortOr<T, Goal<T>> {
    /// The value as a number, and the cooldown.
    fn at(&self, number: impl Fn(&T) -> f64) -> (f64, Option<Cooldown>) {
        match self {
            Self::Short(value) => (number(value), None),
            Self::Long(scaling) => (number(&scaling.value), scaling.cooldown.clone()),
        }
    }
}

impl QueueDelay {
    /// The messages that may wait for each task: those that it handles in the acceptable time.
    fn at(&self) -> Option<(f64, Option<Cooldown>)> {
        let (latency, processing) = (self.acceptable_latency?.0, self.msg_processing_time?.0);
        let waiting = latency.as_secs_f64() / processing.as_secs_f64();
        Some((waiting.ceil(), self.cooldown.clone()))
    }
}
