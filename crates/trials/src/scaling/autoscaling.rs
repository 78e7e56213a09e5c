//! Application Auto Scaling: from policies, alarms and datapoints to the number of tasks.
//!
//! From its user guide, "How target tracking scaling works" and "How step scaling works". What the
//! guide leaves open is decided against us, and said where it is.

use std::collections::BTreeMap;

use deployment::description::scaling::{Alarm, Change, Comparison, Missing, Scaling, Step, Target};

use super::cloudwatch::{Datapoints, State, evaluate};

/// What Application Auto Scaling remembers.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The number of tasks that it wants.
    pub tasks: u32,
    /// The state of each alarm, by name.
    alarms: BTreeMap<String, State>,
    /// When a policy added tasks the last time, and how many there were before.
    added: BTreeMap<String, (u64, u32)>,
    /// When a policy took tasks away the last time.
    removed: BTreeMap<String, u64>,
}

/// The name of what takes tasks away for all targets together.
const TRACKING: &str = "target tracking";

/// What it wants at the second `now`; it decides once a minute.
pub fn decide(scaling: &Scaling, mut memory: Memory, datapoints: &Datapoints, now: u64) -> Memory {
    let mut wanted = Vec::new();
    let mut fewer = Vec::new();
    for (metric, target) in &scaling.targets {
        let name = format!("{metric:?} high");
        if let Some(value) = memory.goes_off(&name, &target.high(), datapoints, now) {
            let base = memory.base(&name, target.scale_out_cooldown_seconds, now);
            // With no task, AWS scales out once the value is above the target.
            wanted.push((proportional(base.max(1), value, target), base, name));
        }
    }
    let fewer_tasks = memory.lower(scaling, datapoints, now).filter(|it| *it < memory.tasks);
    if let Some(tasks) = fewer_tasks {
        fewer.push((tasks, TRACKING.to_owned()));
    }
    for (name, step) in &scaling.steps {
        let Some(value) = memory.goes_off(name, &step.alarm, datapoints, now) else { continue };
        let base = memory.base(name, step.cooldown_seconds, now);
        let Some(tasks) = stepped(step, value, base) else { continue };
        if tasks > memory.tasks {
            wanted.push((tasks, base, name.clone()));
        } else if tasks < memory.tasks && !memory.cools_down(name, step.cooldown_seconds, now) {
            fewer.push((tasks, name.clone()));
        }
    }
    // Of several, the largest number counts, and more goes before fewer.
    let bounded = |tasks: u32| tasks.clamp(scaling.min_tasks, scaling.max_tasks);
    match (wanted.into_iter().max(), fewer.into_iter().max()) {
        (Some((tasks, base, name)), _) if bounded(tasks) > memory.tasks => {
            memory.added.insert(name, (now, base));
            memory.tasks = bounded(tasks);
        }
        (_, Some((tasks, name))) if bounded(tasks) < memory.tasks => {
            memory.removed.insert(name, now);
            memory.tasks = bounded(tasks);
        }
        _ => {}
    }
    memory
}

impl Memory {
    /// That of a service with `tasks`.
    pub fn of(tasks: u32) -> Self {
        Self { tasks, ..Self::default() }
    }

    /// The latest value of an alarm that is on. Without any, it is on because that counts as beyond
    /// its threshold: the guide does not say which step follows, so the first does.
    fn goes_off(
        &mut self,
        name: &str,
        alarm: &Alarm,
        datapoints: &Datapoints,
        now: u64,
    ) -> Option<f64> {
        let before = self.alarms.get(name).copied().unwrap_or_default();
        let (state, value) = evaluate(alarm, before, datapoints, now);
        self.alarms.insert(name.to_owned(), state);
        (state == State::On).then_some(value.unwrap_or(alarm.threshold))
    }

    /// The tasks that a policy adds to: while it cools down, those that it added do not count.
    fn base(&self, name: &str, cooldown_seconds: u32, now: u64) -> u32 {
        match self.added.get(name) {
            Some((then, base)) if now < then + u64::from(cooldown_seconds) => *base,
            _ => self.tasks,
        }
    }

    fn cools_down(&self, name: &str, cooldown_seconds: u32, now: u64) -> bool {
        self.removed.get(name).is_some_and(|then| now < then + u64::from(cooldown_seconds))
    }

    /// The tasks that all targets together agree to: none may be missing data, and the one that
    /// needs the most counts.
    fn lower(&mut self, scaling: &Scaling, datapoints: &Datapoints, now: u64) -> Option<u32> {
        let lows: Vec<_> = (scaling.targets.iter())
            .map(|(metric, target)| {
                let name = format!("{metric:?} low");
                let value = self.goes_off(&name, &target.low(), datapoints, now);
                value.map(|value| proportional(self.tasks, value, target))
            })
            .collect();
        let tasks = lows.into_iter().collect::<Option<Vec<_>>>()?.into_iter().max()?;
        let pauses = scaling.targets.values().map(|it| it.scale_in_cooldown_seconds);
        let pause = pauses.max().unwrap_or_default();
        (!self.cools_down(TRACKING, pause, now)).then_some(tasks)
    }
}

/// Rounded up, as the guide says: "to prevent removing too much capacity".
fn proportional(tasks: u32, value: f64, target: &Target) -> u32 {
    (f64::from(tasks) * value / target.value).ceil() as u32
}

/// What a step makes of `base` tasks; `None` if no interval has the value.
fn stepped(step: &Step, value: f64, base: u32) -> Option<u32> {
    let beyond = value - step.alarm.threshold;
    let falls = matches!(step.alarm.comparison, Comparison::AtMost | Comparison::Below);
    // An interval includes the bound that is next to the threshold.
    let fits = |from: Option<f64>, to: Option<f64>| match falls {
        true => from.is_none_or(|it| beyond > it) && to.is_none_or(|it| beyond <= it),
        false => from.is_none_or(|it| beyond >= it) && to.is_none_or(|it| beyond < it),
    };
    let tasks = step.adjustments.iter().find(|it| fits(it.from, it.to))?.tasks;
    Some(match step.change {
        Change::By => base.saturating_add_signed(tasks),
        Change::To => u32::try_from(tasks).unwrap_or_default(),
    })
}

/// The alarms that target tracking makes for itself.
trait Tracked {
    fn high(&self) -> Alarm;
    fn low(&self) -> Alarm;
}

impl Tracked for Target {
    /// Three minutes above the target: strictly above.
    fn high(&self) -> Alarm {
        alarm(self, Comparison::Above, self.value, 3)
    }

    /// Fifteen minutes below nine tenths of it.
    fn low(&self) -> Alarm {
        alarm(self, Comparison::Below, self.value * 0.9, 15)
    }
}

fn alarm(target: &Target, comparison: Comparison, threshold: f64, periods: usize) -> Alarm {
    let (measure, missing) = (target.measure.clone(), Missing::Missing);
    Alarm { measure, comparison, threshold, periods, datapoints: periods, missing }
}
