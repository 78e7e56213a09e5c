//! The worker runtime: receives from a queue, handles, deletes.
//!
//! # At least once, and no less
//!
//! - A message is deleted only after its handler returned `Ok`. Whatever happens before (an error,
//!   a panic, a deadline, a crash, a lost connection), it is delivered again.
//! - So a handler may see a message twice: a crash between its last step and the deletion is enough.
//!   Its effects have to be such that a second time changes nothing.
//! - Within one process a message is not handled twice at a time, and not again after it succeeded:
//!   copies of a message that is held adopt the handler that runs, and copies of one that is done
//!   are deleted.
//! - A message that fails comes again after a random time that grows with each try. After the last
//!   try, and at once for one that no try can handle ([`Failure::Poison`]), SQS moves it to the
//!   dead-letter queue, from where it can be redriven. Nothing is dropped.
//! - While a handler works its message stays hidden: the lease is renewed. If the lease is lost all
//!   the same, the handler is cancelled, because somebody else may have the message.
//! - SIGTERM starts no new poll, lets the running one end, since cutting it would strand what it
//!   brings for a whole visibility timeout, finishes what is held, and gives back the rest.

use std::{future::Future, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    env::{self, Misconfigured},
    health,
    notification::Notification,
};

mod intake;

mod handle;

mod in_flight;

mod lease;

mod acknowledge;

mod release;

mod queue;

mod received;

mod spans;

mod vital_signs;

mod back_off;
mod batch;

#[cfg(test)]
mod tests;

use handle::{Handler, Outgoing};
use in_flight::InFlight;
use queue::{Queue, Rules};
use vital_signs::VitalSigns;

/// How much of the drain is kept for telling SQS what became of the messages.
const FLUSH: Duration = Duration::from_secs(5);
/// How many outcomes wait for a batch; more, and the handlers' permits wait with them.
const MAX_WAITING: usize = 100;

/// What a subscription may be told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The queue's URL.
    pub queue_url: String,
    /// The loopback port on which health is asked; `None` serves no health.
    pub health_port: Option<u16>,
    /// How many messages are held at once, at most.
    pub max_in_flight: usize,
    /// How long a handler may take; then it is cancelled, and the message is tried again.
    pub handler_deadline: Duration,
    /// How long a receive waits for a message: 20 s at most, and fewer seconds cost more requests.
    pub receive_wait: Duration,
    /// How long an outcome waits for others to share its request.
    pub linger: Duration,
    /// How long the end takes at most. What stops the process has to wait longer (`StopTimeout`).
    pub drain: Duration,
}

impl Settings {
    /// The variable that holds the port of the health check, and the port if it is not set.
    pub const HEALTH_PORT: (&str, u16) = ("HEALTH_PORT", 8081);
    /// The variables that [`Settings::from_env`] reads: name, meaning and default.
    pub const VARIABLES: [(&str, &str); 4] = [
        ("COPILOT_QUEUE_URI", "the queue to receive from"),
        ("HEALTH_PORT", "the port on loopback that answers the health check (8081)"),
        ("MAX_IN_FLIGHT", "how many messages are handled at once (100)"),
        ("RECEIVE_WAIT_SECONDS", "how long a receive waits for messages, up to 20 (20)"),
    ];
    /// The longest wait that SQS allows.
    const MAX_RECEIVE_WAIT_SECONDS: u64 = 20;

    /// Settings for a queue, with defaults for a worker that waits on other services.
    pub fn new(queue_url: String) -> Self {
        Self {
            queue_url,
            health_port: None,
            max_in_flight: 100,
            handler_deadline: Duration::from_secs(25),
            receive_wait: Duration::from_secs(Self::MAX_RECEIVE_WAIT_SECONDS),
            linger: Duration::from_millis(20),
            drain: Duration::from_secs(50),
        }
    }

    /// Settings for a Copilot Worker Service: its queue is in `COPILOT_QUEUE_URI`.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if a variable is missing or cannot be read.
    pub fn from_env() -> Result<Self, Misconfigured> {
        let (health_port, default_port) = Self::HEALTH_PORT;
        Ok(Self {
            health_port: Some(env::parsed(health_port, default_port, "a port number")?),
            ..Self::for_queue_in("COPILOT_QUEUE_URI")?
        })
    }

    /// Settings for a service that receives beside its own work: its queue is in `variable`, and it
    /// says itself how it is.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if a variable is missing or cannot be read.
    pub fn for_queue_in(variable: &str) -> Result<Self, Misconfigured> {
        let defaults = Self::new(env::required(variable)?);
        Ok(Self {
            max_in_flight: env::parsed(
                "MAX_IN_FLIGHT",
                defaults.max_in_flight,
                "a number from 1 up",
            )?,
            receive_wait: Duration::from_secs(env::parsed(
                "RECEIVE_WAIT_SECONDS",
                Self::MAX_RECEIVE_WAIT_SECONDS,
                "a number of seconds up to 20",
            )?),
            ..defaults
        })
    }

    fn check(&self) -> Result<(), Misconfigured> {
        if !(1..=Semaphore::MAX_PERMITS).contains(&self.max_in_flight) {
            return Err(Misconfigured("MAX_IN_FLIGHT should be a number from 1 up".to_owned()));
        }
        if self.receive_wait.as_secs() > Self::MAX_RECEIVE_WAIT_SECONDS {
            return Err(Misconfigured("RECEIVE_WAIT_SECONDS should be at most 20".to_owned()));
        }
        Ok(())
    }
}

/// Why a handler did not succeed. The reason is logged, so it should quote nothing of the message.
#[derive(Debug)]
pub enum Failure {
    /// It may succeed later.
    Retry(anyhow::Error),
    /// No later try will succeed.
    Poison(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Retry(error)
    }
}

/// What the parts of the runtime share.
struct Worker {
    queue: Queue,
    rules: Rules,
    in_flight: InFlight,
    vital_signs: VitalSigns,
    settings: Settings,
    permits: Arc<Semaphore>,
    /// Cancelled when the time to finish is over: then handlers are.
    ending: CancellationToken,
}

impl Worker {
    /// Asks the queue for its rules, and is ready to work by them.
    async fn start(aws: &SdkConfig, settings: Settings) -> Arc<Self> {
        let queue = Queue::new(aws, &settings);
        let rules = queue.rules().await;
        Arc::new(Self {
            in_flight: InFlight::new(rules.visibility, settings.handler_deadline),
            permits: Arc::new(Semaphore::new(settings.max_in_flight)),
            vital_signs: VitalSigns::new(),
            ending: CancellationToken::new(),
            queue,
            rules,
            settings,
        })
    }
}

/// Receives from the queue until `shutdown` is cancelled, and calls `handler` for each message.
///
/// The future that `handler` makes is dropped at its deadline, or if the message is lost to
/// somebody else; a panic in it counts as a failure that may succeed later.
///
/// # Errors
///
/// [`Misconfigured`] if a setting is out of bounds or the health port is taken. A queue that is out of reach, or that refuses, is
/// no error: the worker turns unhealthy, says why, and keeps trying.
pub async fn subscribe<F>(
    aws: &SdkConfig,
    settings: Settings,
    shutdown: CancellationToken,
    handler: impl Fn(Notification) -> F + Send + Sync + 'static,
) -> anyhow::Result<()>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    settings.check()?;
    let health = match settings.health_port {
        Some(port) => Some(health::listen(Settings::HEALTH_PORT.0, port).await?),
        None => None,
    };
    let starting = Worker::start(aws, settings);
    let Some(worker) = shutdown.run_until_cancelled(starting).await else {
        return Ok(());
    };
    // Ends with this function.
    let mut background = JoinSet::new();
    if let Some(listener) = health {
        let examined = Arc::clone(&worker);
        background.spawn(health::serve(listener, move || examined.examine()));
    }
    run(worker, shutdown, Arc::new(handler)).await;
    Ok(())
}

/// Works until `shutdown` is cancelled and everything is settled, or the drain is over.
async fn run(worker: Arc<Worker>, shutdown: CancellationToken, handler: Arc<impl Handler>) {
    // Ends with this function.
    let mut keeper = JoinSet::new();
    keeper.spawn(lease::keep(Arc::clone(&worker)));
    let linger = worker.settings.linger;
    let (deletions, processed) = mpsc::channel(MAX_WAITING);
    let (releases, failed) = mpsc::channel(MAX_WAITING);
    let (deleter, releaser) = (Arc::clone(&worker), Arc::clone(&worker));
    let flush = tokio::spawn(async move {
        let delete = |ids| acknowledge::delete(Arc::clone(&deleter), ids);
        let release = |leases| release::release(Arc::clone(&releaser), leases);
        tokio::join!(
            batch::in_batches(processed, linger, delete),
            batch::in_batches(failed, linger, release),
        );
    });

    let handlers = TaskTracker::new();
    let outgoing = Outgoing { deletions, releases };
    let intake = intake::Intake::new(&worker, &handlers, &outgoing, &handler, &shutdown);
    let polls = tokio::spawn(intake.poll_until_shutdown());
    shutdown.cancelled().await;

    let settled_by = Instant::now() + worker.settings.drain.saturating_sub(FLUSH);
    handlers.close();
    let settled = async {
        let _ = polls.await;
        handlers.wait().await;
    };
    if timeout_at(settled_by, settled).await.is_err() {
        let messages = handlers.len();
        tracing::warn!(messages, "gives back messages that are not finished");
        worker.ending.cancel();
    }
    // The handlers hold the other ends of the channels: the flush is over when they are.
    drop(outgoing);
    if timeout(FLUSH, flush).await.is_err() {
        tracing::warn!("ends before SQS knows all that was done: some messages will come again");
    }
}
