//! `count`: the number of tasks, and the metrics that scale it.

use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};

use super::{
    container::Platform,
    overlay::{Overlay, overlay},
    service_type::ServiceType,
};
use crate::{
    bare,
    copilot::duration::GoDuration,
    mistake::Wrong,
    within::Within,
    yaml::{ShortOr, wrong},
};

mod scaling;

/// The number of tasks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    range: Option<Spanned<ShortOr<TaskRange, Bounds>>>,
    cooldown: Option<Spanned<Cooldown>>,
    /// Percent of the reserved processor time.
    pub cpu_percentage: Option<Spanned<Target<Within<1, 100>>>>,
    /// Percent of the reserved memory.
    pub memory_percentage: Option<Spanned<Target<Within<1, 100>>>>,
    /// Requests to each task.
    pub requests: Option<Spanned<Target<u32>>>,
    /// Response time of the load balancer's targets.
    pub response_time: Option<Spanned<Target<GoDuration>>>,
    /// Waiting time of the messages in the queue.
    pub queue_delay: Option<Spanned<QueueDelay>>,
    #[serde(default, deserialize_with = "bare::spanned")]
    spot: Option<Spanned<u32>>,
}

/// The target value of a metric, with or without a cooldown of its own.
type Target<T> = ShortOr<T, Goal<T>>;

/// The target value of a metric, and the time between two changes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal<T> {
    value: T,
    cooldown: Option<Cooldown>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cooldown {
    r#in: Option<GoDuration>,
    out: Option<GoDuration>,
}

/// The acceptable waiting time of messages in the queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueDelay {
    acceptable_latency: Option<GoDuration>,
    msg_processing_time: Option<GoDuration>,
    cooldown: Option<Cooldown>,
}

/// `1-4`.
#[derive(Clone, Copy, Debug)]
struct TaskRange {
    min: u32,
    max: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    #[serde(deserialize_with = "bare::required")]
    min: u32,
    #[serde(deserialize_with = "bare::required")]
    max: u32,
    #[serde(default, deserialize_with = "bare::optional")]
    spot_from: Option<u32>,
}

/// Spot capacity replaces everything that scales, and the reverse.
impl Overlay for Count {
    fn overlaid(mut self, over: Self) -> Self {
        if over.spot.is_some() {
            return over;
        }
        if over.places().any(|(key, _)| key != "cooldown") {
            self.spot = None;
        }
        Self {
            range: over.range.or(self.range),
            cooldown: self.cooldown.overlaid(over.cooldown),
            cpu_percentage: over.cpu_percentage.or(self.cpu_percentage),
            memory_percentage: over.memory_percentage.or(self.memory_percentage),
            requests: over.requests.or(self.requests),
            response_time: over.response_time.or(self.response_time),
            queue_delay: self.queue_delay.overlaid(over.queue_delay),
            spot: self.spot,
        }
    }
}

overlay!(Cooldown: merges(), replaces(r#in, out));

overlay!(QueueDelay: merges(cooldown), replaces(acceptable_latency, msg_processing_time));

impl Count {
    pub(super) fn check(
        &self,
        service_type: ServiceType,
        platform: Option<Platform>,
    ) -> Result<(), Wrong> {
        self.check_spot(platform)?;
        self.check_type(service_type)?;
        self.check_range()?;
        self.queue_delay.as_ref().map_or(Ok(()), QueueDelay::check)
    }

    /// Whether some or all tasks use spot capacity.
    pub(super) fn has_spot(&self) -> bool {
        self.spot_key().is_some()
    }

    fn spot_key(&self) -> Option<(&'static str, Location)> {
        let spot = self.spot.as_ref().map(|spot| ("spot", spot.referenced));
        spot.or_else(|| match self.range.as_ref()? {
            Spanned {
                value: ShortOr::Long(Bounds { spot_from: Some(_), .. }), referenced, ..
            } => Some(("range.spot_from", *referenced)),
            _ => None,
        })
    }

    /// The parts of Copilot's template that scale the service, by their names in the outline.
    pub(super) fn parts(&self) -> impl Iterator<Item = &'static str> {
        let scaling = self.range.as_ref().map(|_| "scaling");
        scaling.into_iter().chain(self.metrics().map(|(key, _)| match key {
            "cpu_percentage" => "cpu_scaling",
            "memory_percentage" => "memory_scaling",
            "requests" => "request_scaling",
            "response_time" => "response_scaling",
            _ => "backlog_scaling",
        }))
    }

    /// Spot tasks do not scale, and Fargate offers none with ARM processors.
    fn check_spot(&self, platform: Option<Platform>) -> Result<(), Wrong> {
        if let (Some((key, place)), Some(Platform::Arm)) = (self.spot_key(), platform) {
            return Err((place, format!("count.{key}: Fargate Spot has no ARM processors")));
        }
        match (&self.spot, self.places().next()) {
            (Some(_), Some((key, place))) => {
                Err((place, format!("count.{key}: count.spot excludes it")))
            }
            _ => Ok(()),
        }
    }

    fn check_type(&self, service_type: ServiceType) -> Result<(), Wrong> {
        let foreign = match service_type {
            ServiceType::LoadBalanced => ["queue_delay"].as_slice(),
            ServiceType::Worker => ["requests", "response_time"].as_slice(),
        };
        match self.metrics().find(|(key, _)| foreign.contains(key)) {
            Some((key, place)) => {
                Err((place, format!("count.{key}: a {service_type} has no such metric")))
            }
            None => Ok(()),
        }
    }

    /// A range needs a metric, and a metric needs a range.
    fn check_range(&self) -> Result<(), Wrong> {
        let metric = self.metrics().next();
        match (&self.range, metric, &self.cooldown) {
            (Some(Spanned { value: ShortOr::Long(bounds), referenced, .. }), ..)
                if bounds.min > bounds.max =>
            {
                Err((*referenced, "count.range: min is above max".to_owned()))
            }
            (Some(range), None, _) => {
                Err((range.referenced, "count.range: it needs a metric to scale by".to_owned()))
            }
            (None, Some((key, place)), _) => {
                Err((place, format!("count.{key}: without a range there is nothing to scale")))
            }
            (_, None, Some(cooldown)) => {
                let what = "count.cooldown: without a metric there is nothing to cool down";
                Err((cooldown.referenced, what.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn metrics(&self) -> impl Iterator<Item = (&'static str, Location)> {
        [
            ("cpu_percentage", self.cpu_percentage.as_ref().map(|it| it.referenced)),
            ("memory_percentage", self.memory_percentage.as_ref().map(|it| it.referenced)),
            ("requests", self.requests.as_ref().map(|it| it.referenced)),
            ("response_time", self.response_time.as_ref().map(|it| it.referenced)),
            ("queue_delay", self.queue_delay.as_ref().map(|it| it.referenced)),
        ]
        .into_iter()
        .filter_map(|(key, place)| Some((key, place?)))
    }

    /// The keys other than `spot`, with their places.
    fn places(&self) -> impl Iterator<Item = (&'static str, Location)> {
        [
            ("range", self.range.as_ref().map(|it| it.referenced)),
            ("cooldown", self.cooldown.as_ref().map(|it| it.referenced)),
        ]
        .into_iter()
        .filter_map(|(key, place)| Some((key, place?)))
        .chain(self.metrics())
    }
}

impl QueueDelay {
    /// Copilot divides one by the other, and panics without them.
    fn check(delay: &Spanned<Self>) -> Result<(), Wrong> {
        let wrong = |what: &str| Err((delay.referenced, format!("count.queue_delay: {what}")));
        match (&delay.value.acceptable_latency, &delay.value.msg_processing_time) {
            (Some(latency), Some(processing)) => {
                if processing.0.is_zero() {
                    wrong("msg_processing_time should be above 0")
                } else if processing.0 > latency.0 {
                    wrong("msg_processing_time should not be above acceptable_latency")
                } else {
                    Ok(())
                }
            }
            _ => wrong("it needs acceptable_latency and msg_processing_time"),
        }
    }
}

impl<'de> Deserialize<'de> for TaskRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bounds = text.split_once('-');
        let bounds =
            bounds.and_then(|(min, max)| Some((min.parse::<u32>().ok()?, max.parse().ok()?)));
        match bounds {
            Some((min, max)) if min <= max => Ok(Self { min, max }),
            _ => Err(wrong(format!("{text:?} is not a range such as 1-4"))),
        }
    }
}
