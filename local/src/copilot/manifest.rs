//! A service's `manifest.yml`, with every key that this product uses and no other.
//!
//! Copilot drops what it does not know in silence: `dead_letter: {retries: 3}` means no
//! dead-letter queue. Here it is a mistake, and so are values that AWS would refuse later.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::{
    duration::{GoDuration, Seconds},
    filter_policy::FilterPolicy,
    yaml::{Scalar, ShortOr, wrong},
};

/// What a manifest says, or what one of its `environments` overrides.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manifest {
    /// The name of the service and of its directory.
    pub name: Option<Spanned<String>>,
    /// The kind of service.
    pub r#type: Option<Spanned<Kind>>,
    /// What its containers run.
    pub image: Option<Image>,
    /// How the load balancer reaches it.
    pub http: Option<Spanned<Http>>,
    /// The topics it owns.
    pub publish: Option<Publish>,
    /// The topics it receives from.
    pub subscribe: Option<Spanned<Subscribe>>,
    /// Processor units: 1024 are one processor.
    pub cpu: Option<u32>,
    /// MiB.
    pub memory: Option<u32>,
    /// The system and processor of its image.
    pub platform: Option<Platform>,
    /// How many tasks run.
    pub count: Option<ShortOr<u32, Count>>,
    /// Whether a shell may be opened in a task.
    pub exec: Option<bool>,
    /// Its file system.
    pub storage: Option<Storage>,
    /// Its variables, beside those that Copilot adds.
    pub variables: BTreeMap<String, Scalar>,
    /// Where its logs go.
    pub logging: Option<Logging>,
    /// How a new version replaces an old one.
    pub deployment: Option<Deployment>,
    /// What is traced.
    pub observability: Option<Observability>,
    /// What is different in an environment.
    pub environments: BTreeMap<String, Manifest>,
}

/// The kinds of service that this product is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Kind {
    /// Behind a load balancer.
    #[serde(rename = "Load Balanced Web Service")]
    Web,
    /// Behind a queue.
    #[serde(rename = "Worker Service")]
    Worker,
}

/// What a service's containers run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be checked; the laptop runs no containers")]
pub struct Image {
    build: Option<ShortOr<String, Build>>,
    location: Option<String>,
    port: Option<u16>,
    healthcheck: Option<ContainerHealth>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be checked; the laptop builds no images")]
struct Build {
    dockerfile: Option<String>,
    context: Option<String>,
    target: Option<String>,
    #[serde(default)]
    args: BTreeMap<String, Scalar>,
    #[serde(default)]
    cache_from: Vec<String>,
}

/// Without a `command` Copilot would run `curl`, which the image does not have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be checked; it is ECS that asks")]
struct ContainerHealth {
    command: Vec<String>,
    interval: Option<Seconds<5, 300>>,
    timeout: Option<Seconds<2, 60>>,
    retries: Option<Within<1, 10>>,
    start_period: Option<Seconds<0, 300>>,
}

/// How the load balancer reaches a service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be checked; there is no load balancer here")]
pub struct Http {
    path: Option<String>,
    healthcheck: Option<ShortOr<String, HttpHealth>>,
    deregistration_delay: Option<Seconds<0, 3600>>,
    stickiness: Option<bool>,
    alias: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be checked; there is no load balancer here")]
struct HttpHealth {
    path: Option<String>,
    port: Option<u16>,
    success_codes: Option<String>,
    healthy_threshold: Option<Within<2, 10>>,
    unhealthy_threshold: Option<Within<2, 10>>,
    interval: Option<Seconds<5, 300>>,
    timeout: Option<Seconds<2, 120>>,
    grace_period: Option<Seconds<0, 2_147_483_647>>,
}

/// The topics that a service owns.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The topics.
    pub topics: Vec<Topic>,
}

/// A topic that a service owns.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Its name, unique within the service.
    pub name: Spanned<TopicName>,
}

/// What a worker receives.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// The topics; an override replaces all of them.
    pub topics: Option<Vec<Subscription>>,
    /// The queue that they all lead to.
    #[serde(default)]
    pub queue: Queue,
}

/// One topic that leads to a worker's queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// The topic's name.
    pub name: Spanned<TopicName>,
    /// The service that owns it.
    pub service: Spanned<String>,
    /// Which messages are wanted; without one, all are.
    pub filter_policy: Option<FilterPolicy>,
}

/// A worker's queue. What is not set is as SQS has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// How long a message is kept.
    pub retention: Option<Seconds<60, 1_209_600>>,
    /// How long a message waits before it can be received.
    pub delay: Option<Seconds<0, 900>>,
    /// How long a received message is hidden.
    pub timeout: Option<Seconds<0, 43_200>>,
    /// Where messages go that no try could handle.
    pub dead_letter: Option<DeadLetter>,
}

/// Where messages go that no try could handle.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// How many receives a message gets.
    pub tries: Within<1, 1000>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be checked; one task of each runs here")]
/// How many tasks run.
pub struct Count {
    range: Option<TaskRange>,
    cooldown: Option<Cooldown>,
    cpu_percentage: Option<Within<1, 100>>,
    memory_percentage: Option<Within<1, 100>>,
    requests: Option<u32>,
    response_time: Option<GoDuration>,
    queue_delay: Option<QueueDelay>,
    spot: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be checked")]
struct Cooldown {
    r#in: Option<GoDuration>,
    out: Option<GoDuration>,
}

#[derive(Clone, Debug)]
struct QueueDelay;

impl<'de> Deserialize<'de> for QueueDelay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Keys {
            acceptable_latency: GoDuration,
            msg_processing_time: GoDuration,
            #[serde(default, rename = "cooldown")]
            _cooldown: Option<Cooldown>,
        }
        let keys = Keys::deserialize(deserializer)?;
        if keys.msg_processing_time.0.is_zero() {
            return Err(wrong("msg_processing_time should be above 0"));
        }
        if keys.msg_processing_time.0 > keys.acceptable_latency.0 {
            return Err(wrong("msg_processing_time should not be above acceptable_latency"));
        }
        Ok(Self)
    }
}

#[derive(Clone, Debug)]
struct TaskRange;

impl<'de> Deserialize<'de> for TaskRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bounds = text.split_once('-');
        let bounds =
            bounds.and_then(|(min, max)| Some((min.parse::<u32>().ok()?, max.parse().ok()?)));
        match bounds {
            Some((min, max)) if min <= max => Ok(Self),
            _ => Err(wrong(format!("{text:?} is not a range such as 1-4"))),
        }
    }
}

/// The system and processor of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Platform {
    /// 64 bit Intel and AMD.
    #[serde(rename = "linux/x86_64", alias = "linux/amd64")]
    X86,
    /// 64 bit ARM.
    #[serde(rename = "linux/arm64", alias = "linux/arm")]
    Arm,
}

/// A container's file system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be checked; the laptop runs no containers")]
pub struct Storage {
    readonly_fs: Option<bool>,
    ephemeral: Option<Within<20, 200>>,
}

/// Where logs go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be checked; here they go to the terminal")]
pub struct Logging {
    retention: Option<RetentionDays>,
}

#[derive(Clone, Debug)]
struct RetentionDays;

impl<'de> Deserialize<'de> for RetentionDays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// What CloudWatch takes, up to ten years.
        const DAYS: [u32; 22] = [
            1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557,
            2922, 3288, 3653,
        ];
        let days = u32::deserialize(deserializer)?;
        if DAYS.contains(&days) {
            Ok(Self)
        } else {
            Err(wrong(format!("CloudWatch keeps logs for {DAYS:?} days")))
        }
    }
}

/// How a new version replaces an old one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be checked; nothing is deployed here")]
pub struct Deployment {
    rolling: Option<Rolling>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rolling {
    Default,
    Recreate,
}

/// What is traced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be checked; there is no X-Ray here")]
pub struct Observability {
    tracing: Tracing,
}

/// Copilot knows one vendor, and looks at no other: a slip means that nothing is traced.
#[derive(Clone, Debug)]
struct Tracing;

impl<'de> Deserialize<'de> for Tracing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "awsxray" => Ok(Self),
            vendor => Err(wrong(format!("{vendor:?} traces nothing: Copilot knows only awsxray"))),
        }
    }
}

/// A whole number between `MIN` and `MAX`: AWS refuses others when a stack is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within<const MIN: u32, const MAX: u32>(pub u32);

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        if (MIN..=MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(wrong(format!("is {number}, but AWS takes {MIN} to {MAX}")))
        }
    }
}

/// The name of a topic, as manifests write it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicName(pub String);

impl<'de> Deserialize<'de> for TopicName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if name.is_empty() || !name.chars().all(fits) {
            return Err(wrong(format!("{name:?} is not a topic's name: letters, digits, - and _")));
        }
        Ok(Self(name))
    }
}

impl Manifest {
    /// What holds in `environment`: its overrides laid over the rest.
    ///
    /// As Copilot does it: scalars replace, maps merge by key, lists replace as a whole.
    pub fn applied(mut self, environment: &str) -> Self {
        let Some(over) = self.environments.remove(environment) else {
            return self;
        };
        self.variables.extend(over.variables);
        self.publish = over.publish.or(self.publish);
        self.subscribe = match (self.subscribe, over.subscribe) {
            (Some(mut base), Some(over)) => {
                base.value = base.value.overlaid(over.value);
                Some(base)
            }
            (base, over) => over.or(base),
        };
        self
    }
}

impl Subscribe {
    fn overlaid(self, over: Self) -> Self {
        Self {
            topics: over.topics.or(self.topics),
            queue: Queue {
                retention: over.queue.retention.or(self.queue.retention),
                delay: over.queue.delay.or(self.queue.delay),
                timeout: over.queue.timeout.or(self.queue.timeout),
                dead_letter: over.queue.dead_letter.or(self.queue.dead_letter),
            },
        }
    }
}
