//! Tests of the worker runtime with paused time and a scripted queue.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::anyhow;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    failure::Failure,
    handler::Call,
    run::{run, subscribe},
    settings::Settings,
    worker::Worker,
};
use crate::notification::Notification;

mod scripted_sqs;

mod handlers;

mod leases;

mod deletions;

mod receives;

mod drain;

mod permits;

mod health;

mod groups;

mod logs;

mod outages;

use crate::testing::queue::{ATTRIBUTES, CHANGE, DELETE, MAX_RECEIVES, RECEIVE, VISIBILITY};
use scripted_sqs::{Fault, ScriptedSqs};

/// A worker under test.
struct Subscription {
    sqs: ScriptedSqs,
    worker: Arc<Worker>,
    shutdown: CancellationToken,
    ended: JoinHandle<()>,
    handled: Handled,
}

impl<F, H> Call for H
where
    H: Fn(Notification) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Failure>> + Send,
{
    fn call(&self, notification: Notification) -> impl Future<Output = Result<(), Failure>> + Send {
        self(notification)
    }
}

/// The handlers that were started: the id of the message, and the time.
#[derive(Clone, Default)]
struct Handled(Arc<Mutex<Vec<(String, Instant)>>>);

impl Handled {
    /// When the handler was started for a message.
    fn starts(&self, id: &str) -> Vec<Instant> {
        let handled = self.0.lock().unwrap();
        let starts = handled.iter().filter(|(handled, _)| handled == id);
        starts.map(|(_, at)| *at).collect()
    }
}

fn settings() -> Settings {
    Settings::new("https://sqs.eu-west-1.amazonaws.com/123456789012/orders".to_owned())
}

/// Starts a worker.
async fn start<F>(
    sqs: &ScriptedSqs,
    settings: Settings,
    handler: impl Fn(Notification) -> F + Send + Sync + 'static,
) -> Subscription
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let sqs = sqs.for_another_process();
    let (worker, attributes_are_known) = Worker::start(&sqs.config(), settings).await;
    if !attributes_are_known {
        tokio::spawn(Arc::clone(&worker).read_attributes());
    }
    let (shutdown, handled) = (CancellationToken::new(), Handled::default());
    let journal = handled.clone();
    let recording = move |notification: Notification| {
        let entry = (notification.message.clone(), Instant::now());
        journal.0.lock().unwrap().push(entry);
        handler(notification)
    };
    let running = run(Arc::clone(&worker), shutdown.clone(), Arc::new(recording));
    Subscription { sqs, worker, shutdown, ended: tokio::spawn(running), handled }
}

impl Subscription {
    /// Waits until the queue is empty.
    async fn until_empty(&self) {
        let empty = async {
            while !self.sqs.waiting().is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(3600), empty).await.unwrap();
    }

    /// How many permits neither a message nor a poll holds.
    fn free_permits(&self) -> usize {
        self.worker.permits.available_permits()
    }

    /// Kills the worker, as SIGKILL does.
    fn kill(self) {
        self.sqs.kill();
        self.ended.abort();
    }

    /// Shuts the worker down, as SIGTERM does, and returns how long it took.
    async fn end(self) -> Duration {
        let since = Instant::now();
        self.shutdown.cancel();
        self.ended.await.unwrap();
        since.elapsed()
    }
}

fn ids(messages: &[(String, Instant)]) -> Vec<&str> {
    let mut ids: Vec<_> = messages.iter().map(|(id, _)| id.as_str()).collect();
    ids.sort_unstable();
    ids
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn work_for(time: Duration) -> Result<(), Failure> {
    sleep(time).await;
    Ok(())
}

fn retry() -> Failure {
    Failure::Retry(anyhow!("later"))
}

fn poison() -> Failure {
    Failure::Poison(anyhow!("never"))
}

/// Runs the body of a property test, which cannot be asynchronous, with paused time.
fn paused(body: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(body);
}
