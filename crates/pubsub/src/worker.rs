//! A worker from `main` to its exit code.

use std::{process::ExitCode, time::Duration};

use aws_config::SdkConfig;
use clap::{Args as _, FromArgMatches as _, Parser};

use crate::{
    aws,
    env::Misconfigured,
    program,
    subscribe::{FromMessage, HEALTH, Handler, Settings, WorkerSettings, subscribe},
    topic::Topic,
    topics::Topics,
};

/// A service that receives from a queue: it has settings, logs, traces, a health check, a drain on
/// SIGTERM and an exit code. See [the example](crate#a-worker).
///
/// A handler that takes minutes needs a longer deadline, and a drain that leaves time for it:
///
/// ```
/// use std::time::Duration;
///
/// let minutes = Duration::from_secs(10 * 60);
/// let worker = pubsub::Worker::new().handler_deadline(minutes).drain(minutes);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Worker {
    handler_deadline: Option<Duration>,
    drain: Option<Duration>,
}

/// What a worker can use to build its handler.
#[derive(Clone, Debug)]
pub struct Startup {
    aws: SdkConfig,
    topics: Topics,
}

impl Worker {
    /// A worker with the default times: 25 s for a handler and 50 s for the drain.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a handler may run. Then it is cancelled, and its message is retried. While it runs,
    /// the message's lease is renewed, so this may be longer than the visibility timeout.
    pub fn handler_deadline(self, deadline: Duration) -> Self {
        Self { handler_deadline: Some(deadline), ..self }
    }

    /// How long the drain after SIGTERM may take. The `StopTimeout` of ECS has to be longer.
    pub fn drain(self, drain: Duration) -> Self {
        Self { drain: Some(drain), ..self }
    }

    /// Reads the settings, builds the handler, and calls it for each message of the queue, until
    /// SIGTERM or Ctrl-C. Then it drains; a second signal ends the process at once.
    ///
    /// `S` has the worker's own settings. It is a `clap` parser in which every option can also be
    /// set by an environment variable. Its name, version and doc comment appear in `--help`, in
    /// logs and in traces. The settings of every worker are added: the queue, the topics, the port
    /// of the health check, limits, logs and traces. The subcommand `healthcheck` checks the
    /// instance that runs on this machine.
    ///
    /// The exit code is 0 for a clean exit, 64 for a wrong argument or setting, 130 after a second
    /// signal, and 1 for any other error. Errors are printed on standard error.
    pub fn run<S, E, H>(self, build: impl AsyncFnOnce(S, &Startup) -> anyhow::Result<H>) -> ExitCode
    where
        S: Parser,
        E: FromMessage,
        H: Handler<E>,
    {
        let command = WorkerSettings::augment_args(Topics::augment_args(S::command()))
            .about(program::about::<S>());
        program::execute(command, HEALTH, async |matches, shutdown| {
            let worker = WorkerSettings::from_arg_matches(matches)?;
            let topics = Topics::from_arg_matches(matches)?;
            let startup = Startup { aws: aws::config().await, topics };
            let handler = build(S::from_arg_matches(matches)?, &startup).await?;
            let settings = self.adjust(worker.into());
            subscribe(&startup.aws, settings, shutdown, handler).await
        })
    }

    fn adjust(&self, settings: Settings) -> Settings {
        Settings {
            handler_deadline: self.handler_deadline.unwrap_or(settings.handler_deadline),
            drain: self.drain.unwrap_or(settings.drain),
            ..settings
        }
    }
}

impl Startup {
    /// The configuration for clients of AWS services.
    pub fn aws(&self) -> &SdkConfig {
        &self.aws
    }

    /// The topic that the manifest calls `name`, for publishing.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if the service has no such topic.
    pub fn topic(&self, name: &str) -> Result<Topic, Misconfigured> {
        self.topics.topic(&self.aws, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_the_times_that_were_asked_for_and_else_the_defaults() {
        let seconds = Duration::from_secs;
        for (worker, deadline, drain) in [
            (Worker::new(), 25, 50),
            (Worker::new().handler_deadline(seconds(600)), 600, 50),
            (Worker::new().drain(seconds(100)), 25, 100),
            (Worker::new().drain(seconds(100)).handler_deadline(seconds(600)), 600, 100),
        ] {
            let settings = worker.adjust(Settings::new("url".to_owned()));
            let times = (settings.handler_deadline, settings.drain);
            assert_eq!(times, (seconds(deadline), seconds(drain)), "{worker:?}");
        }
    }
}
