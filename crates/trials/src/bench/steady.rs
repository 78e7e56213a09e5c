//! Orders at a steady rate: how long each takes, and what the services use meanwhile.

use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;

use super::{
    load::{self, Accepted, Kind, Load, Outcome, Pace, Until},
    progress::progress,
    report::Report,
    rig::{Rig, Service, Way},
    seen::Progress,
    stored,
    system::settle,
};
use crate::usage::{cpu_seconds, memory_mb};

/// Nearly as many as a publisher takes orders from at once, or an order would wait for a
/// connection.
const CONNECTIONS: u32 = 128;
/// The load before the measurement: it opens connections and touches memory.
const WARM_UP: Duration = Duration::from_millis(500);
/// Longer than it takes to announce what is left after an overload.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(180);

/// What has to be through in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The announcement, by a publisher without workers.
    Announced,
    /// Fulfilment, and the coupon of a large order, with all services.
    Fulfilled,
}

impl Goal {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Announced => "accepted and announced, one publisher",
            Self::Fulfilled => "fulfilled and with coupon, all services",
        }
    }

    /// When an order is late.
    pub fn limit(self) -> Duration {
        Duration::from_secs(if self == Self::Announced { 1 } else { 2 })
    }

    /// Orders a second.
    pub fn target(self) -> f64 {
        if self == Self::Announced { 3_000.0 } else { 1_600.0 }
    }

    /// How long an order took; `None` if it is not through.
    fn took(self, order: &Accepted, progress: &Progress) -> Option<Duration> {
        let through = match self {
            Self::Announced => *progress.announced.get(&order.id)?,
            Self::Fulfilled => {
                let fulfilled = *progress.fulfilled.get(&order.id)?;
                if order.is_large {
                    fulfilled.max(*progress.promoted.get(&order.id)?)
                } else {
                    fulfilled
                }
            }
        };
        Some(through.saturating_duration_since(order.due))
    }
}

/// What was seen at a rate.
pub struct Step {
    /// Orders a second.
    pub rate: f64,
    /// The number of orders that were sent.
    pub sent: usize,
    /// Those of them that were refused.
    pub refused: usize,
    /// The time of each order until it was through, in microseconds.
    pub took: Histogram<u64>,
    /// The time of each answer, in microseconds.
    pub answers: Histogram<u64>,
    /// The latest of the orders that were due in each second, in milliseconds.
    pub latest: Vec<f64>,
    /// What each service used, the publisher first.
    pub used: Vec<Used>,
    /// The processor time of this process for an order, in microseconds: the endpoint and the load.
    pub ours: f64,
}

/// What a service used.
pub struct Used {
    /// The service.
    pub name: String,
    /// Its processor time for an order, in microseconds.
    pub micros: f64,
    /// Its memory at the end, in MB.
    pub memory: f64,
}

impl Step {
    /// Whether nothing was refused, and nearly all were through in time.
    pub fn holds(&self, goal: Goal) -> bool {
        self.refused == 0 && load::percentile(&self.took, 99.0) <= goal.limit().as_millis() as f64
    }

    /// The percentiles, and what was refused.
    pub fn note(&self) -> String {
        let refused = 100.0 * self.refused as f64 / self.sent as f64;
        format!("{}; {refused:.1} % refused", load::percentiles(&self.took))
    }

    /// The processor time of all services for an order, in microseconds.
    pub fn micros(&self) -> f64 {
        self.used.iter().map(|used| used.micros).sum()
    }
}

/// Sends orders at a rate to services that reach the endpoint by `way`, and waits until all that
/// were accepted are through.
///
/// # Errors
///
/// If a service does not start or exit, or the queues do not become empty.
pub async fn at(
    goal: Goal,
    rate: f64,
    seconds: u64,
    rig: &Rig,
    way: Way,
    report: &mut Report,
) -> anyhow::Result<Step> {
    progress(&format!("{}: {rate:.0} orders a second for {seconds} s", goal.name()));
    let services = match goal {
        Goal::Announced => vec![rig.start("publisher", way).await?],
        Goal::Fulfilled => rig.start_all(way).await?,
    };
    let until = Until::Elapsed(WARM_UP);
    let load = Load { kind: Kind::Form, connections: CONNECTIONS, pace: Pace::Open(rate), until };
    let port = services[0].port;
    let mut all = load::offer(port, load).await?.accepted;
    let before = cpu_time(&services);
    let until = Until::Elapsed(Duration::from_secs(seconds));
    let outcome = load::offer(port, Load { until, ..load }).await?;
    all.extend(outcome.accepted.iter().cloned());
    match goal {
        Goal::Announced => {
            report.lost += stored::unannounced(rig, &all, ANNOUNCE_TIMEOUT).await? as u64;
            report.accepted += all.len() as u64;
        }
        Goal::Fulfilled => settle(rig, &all, report, || {}).await?,
    }
    let each = cpu_time(&services).into_iter().zip(before);
    let each = each.map(|(after, before)| 1e6 * (after - before) / outcome.accepted.len() as f64);
    let mut each = each.collect::<Vec<_>>().into_iter();
    let ours = each.next_back().unwrap_or_default();
    let used = services.iter().zip(each).map(|(service, micros)| Used {
        name: service.name().to_owned(),
        micros,
        memory: memory_mb(service.pid()).unwrap_or_default(),
    });
    let used = used.collect();
    let (took, latest) = times(goal, &outcome, &rig.progress(), seconds)?;
    rig.stop(services).await?;
    let (sent, refused) = (outcome.accepted.len() + outcome.refused, outcome.refused);
    let answers = outcome.latencies;
    Ok(Step { rate, sent, refused, took, answers, latest, used, ours })
}

/// The time of each order, in microseconds, and the latest of each second, in milliseconds.
fn times(
    goal: Goal,
    outcome: &Outcome,
    progress: &Progress,
    seconds: u64,
) -> anyhow::Result<(Histogram<u64>, Vec<f64>)> {
    let first = outcome.accepted.iter().map(|order| order.due).min();
    let first = first.context("no order was accepted")?;
    let (mut took, mut latest) = (load::histogram()?, vec![0.0_f64; usize::try_from(seconds)?]);
    for order in &outcome.accepted {
        // An order that is not through is counted as lost.
        let Some(time) = goal.took(order, progress) else { continue };
        took.record(u64::try_from(time.as_micros())?)?;
        let second = usize::try_from((order.due - first).as_secs())?;
        if let Some(second) = latest.get_mut(second) {
            *second = second.max(time.as_secs_f64() * 1e3);
        }
    }
    Ok((took, latest))
}

/// The processor time so far of each service, and then of this process, in seconds.
fn cpu_time(services: &[Service]) -> Vec<f64> {
    let ours = i32::try_from(std::process::id()).ok();
    let all = services.iter().map(|service| Some(service.pid())).chain([ours]);
    all.map(|pid| pid.and_then(cpu_seconds).unwrap_or_default()).collect()
}
