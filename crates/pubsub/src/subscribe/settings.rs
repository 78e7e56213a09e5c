//! The settings of a subscription, and the part of them that a worker reads from its environment.

use std::time::Duration;

use clap::Args;

use crate::{
    env::{self, Misconfigured},
    limits::between,
    program::Health,
};

/// The health check of a worker: on the port in [`WorkerSettings`], with the path `/`.
pub const HEALTH: Health = Health { port: "health_port", path: "/" };

/// The longest wait that SQS allows.
const MAX_RECEIVE_WAIT_SECONDS: u64 = 20;
/// How many messages of a standard queue SQS allows in flight.
const MAX_IN_FLIGHT: u64 = 120_000;
const DEFAULT_IN_FLIGHT: u32 = 100;
/// How much of the drain is reserved for the last deletes and releases.
pub const FLUSH: Duration = Duration::from_secs(5);

/// The settings of a worker, as a group of `clap` arguments.
#[derive(Args, Clone, Debug)]
#[group(skip)] // groups share one namespace with those of the service
pub struct WorkerSettings {
    /// The URL of the queue to receive from
    #[arg(long, value_name = "URL", env = env::QUEUE_URI)]
    pub queue_uri: String,
    /// The loopback port of the health check
    #[arg(long, value_name = "PORT", env = "HEALTH_PORT", default_value_t = 8081)]
    pub health_port: u16,
    /// The limits of the subscription.
    #[command(flatten)]
    pub limits: Limits,
}

/// The limits of a subscription, as a group of `clap` arguments.
#[derive(Args, Clone, Copy, Debug)]
#[group(skip)]
pub struct Limits {
    /// The most messages in flight at once
    #[arg(long, value_name = "MESSAGES", env = "MAX_IN_FLIGHT")]
    #[arg(default_value_t = DEFAULT_IN_FLIGHT, value_parser = between::<u32>(1, MAX_IN_FLIGHT))]
    pub max_in_flight: u32,
    /// How long a receive waits for messages; shorter waits cost more requests
    #[arg(long, value_name = "SECONDS", env = "RECEIVE_WAIT_SECONDS")]
    #[arg(default_value_t = MAX_RECEIVE_WAIT_SECONDS)]
    #[arg(value_parser = between::<u64>(0, MAX_RECEIVE_WAIT_SECONDS))]
    pub receive_wait_seconds: u64,
}

/// All settings of a subscription.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The queue's URL.
    pub queue_url: String,
    /// The loopback port of the health check. `None`: no health check.
    pub health_port: Option<u16>,
    /// The most messages in flight at once.
    pub max_in_flight: usize,
    /// How long a handler may run. Then it is cancelled, and the message is retried.
    pub handler_deadline: Duration,
    /// How long a receive waits for messages, at most 20 s. Shorter waits cost more requests.
    pub receive_wait: Duration,
    /// How long a delete or a release waits for others to share its request.
    pub linger: Duration,
    /// How long the drain after SIGTERM may take. The `StopTimeout` of ECS has to be longer.
    pub drain: Duration,
}

impl Settings {
    /// The default settings for a queue: 100 messages in flight, 25 s for a handler, 20 s for a
    /// receive, 20 ms of linger, 50 s for the drain, no health check.
    pub fn new(queue_url: String) -> Self {
        Self {
            queue_url,
            health_port: None,
            max_in_flight: DEFAULT_IN_FLIGHT as usize,
            handler_deadline: Duration::from_secs(25),
            receive_wait: Duration::from_secs(MAX_RECEIVE_WAIT_SECONDS),
            linger: Duration::from_millis(20),
            drain: Duration::from_secs(50),
        }
    }

    /// Whether the drain leaves time for the last receive to end. Cutting it would hide what it
    /// brings for a whole visibility timeout.
    pub(super) fn check(&self) -> Result<(), Misconfigured> {
        let least = self.receive_wait + FLUSH;
        if self.drain >= least {
            return Ok(());
        }
        Err(Misconfigured(format!(
            "RECEIVE_WAIT_SECONDS is {}, but the drain of {} s should be at least {} s longer",
            self.receive_wait.as_secs(),
            self.drain.as_secs(),
            FLUSH.as_secs()
        )))
    }

    /// The same settings with other limits.
    pub fn limited(self, limits: Limits) -> Self {
        Self {
            max_in_flight: limits.max_in_flight as usize,
            receive_wait: Duration::from_secs(limits.receive_wait_seconds),
            ..self
        }
    }
}

impl From<WorkerSettings> for Settings {
    fn from(worker: WorkerSettings) -> Self {
        let health_port = Some(worker.health_port);
        Self { health_port, ..Self::new(worker.queue_uri).limited(worker.limits) }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches as _};

    use super::*;

    #[test]
    fn the_settings_of_a_worker_are_those_of_its_variables() {
        let read = |arguments: &[&str]| {
            let command = WorkerSettings::augment_args(Command::new("worker"));
            let arguments = ["worker", "--queue-uri", "url"].iter().chain(arguments);
            let matches = command.try_get_matches_from(arguments).unwrap();
            Settings::from(WorkerSettings::from_arg_matches(&matches).unwrap())
        };
        let usual = read(&[]);
        assert_eq!((usual.queue_url.as_str(), usual.health_port), ("url", Some(8081)));
        assert_eq!((usual.max_in_flight, usual.receive_wait), (100, Duration::from_secs(20)));
        let limited = ["--health-port", "9000", "--max-in-flight", "7"];
        let changed = read(&[&limited[..], &["--receive-wait-seconds", "3"]].concat());
        assert_eq!((changed.health_port, changed.max_in_flight), (Some(9000), 7));
        assert_eq!(changed.receive_wait, Duration::from_secs(3));
    }
}
