//! The proofs of the worker runtime, on paused time and against a scripted queue.

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

use super::{failure::Failure, run::run, settings::Settings, worker::Worker};
use crate::notification::Notification;

mod scripted_sqs;

mod handlers;

mod leases;

mod deletions;

mod receives;

mod the_end;

mod permits;

mod health;

use scripted_sqs::{ATTRIBUTES, CHANGE, DELETE, Fault, RECEIVE, ScriptedSqs, TRIES, VISIBILITY};

/// A worker under test.
struct Subscription {
    sqs: ScriptedSqs,
    worker: Arc<Worker>,
    shutdown: CancellationToken,
    ended: JoinHandle<()>,
    handled: Handled,
}

/// Which handlers were started: the message's id, and when.
#[derive(Clone, Default)]
struct Handled(Arc<Mutex<Vec<(String, Instant)>>>);

impl Handled {
    /// When handlers of this message were started.
    fn starts(&self, id: &str) -> Vec<Instant> {
        let handled = self.0.lock().unwrap();
        let of_it = handled.iter().filter(|(handled, _)| handled == id);
        of_it.map(|(_, at)| *at).collect()
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
    let worker = Worker::start(&sqs.config(), settings).await;
    let (shutdown, handled) = (CancellationToken::new(), Handled::default());
    let journal = handled.clone();
    let recording = move |notification: Notification| {
        let entry = (notification.message.clone(), Instant::now());
        journal.0.lock().unwrap().push(entry);
        handler(notification)
    };
    let running = run(Arc::clone(&worker), shutdown.clone(), Arc::new(recording));
    Subscription { sqs: sqs.clone(), worker, shutdown, ended: tokio::spawn(running), handled }
}

impl Subscription {
    /// Waits until no message is in the queue any more.
    async fn until_empty(&self) {
        let empty = async {
            while !self.sqs.waiting().is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(3600), empty).await.unwrap();
    }

    /// How many permits are neither with a message nor with a poll.
    fn free_permits(&self) -> usize {
        self.worker.permits.available_permits()
    }

    /// Ends it as SIGTERM does, and returns how long that took.
    async fn end(self) -> Duration {
        let since = Instant::now();
        self.shutdown.cancel();
        self.ended.await.unwrap();
        since.elapsed()
    }
}

fn ids(of: &[(String, Instant)]) -> Vec<&str> {
    let mut ids: Vec<_> = of.iter().map(|(id, _)| id.as_str()).collect();
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

/// Runs a test's body on paused time, where the test itself cannot be asynchronous.
fn paused(body: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(body);
}
