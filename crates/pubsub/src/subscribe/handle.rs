//! One message's way through its handler, and what its outcome means for the queue.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::anyhow;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::Instrument as _;

use super::{
    back_off::full_jitter,
    failure::Failure,
    in_flight::Admission,
    received::{Lease, MessageId, Received},
    spans,
    worker::Worker,
};
use crate::notification::Notification;

const RETRY_BASE: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(15 * 60);

/// What a service does with a message.
pub trait Handler: Send + Sync + 'static {
    fn call(
        &self,
        notification: Notification,
    ) -> impl Future<Output = Result<(), Failure>> + Send + 'static;
}

impl<H, F> Handler for H
where
    H: Fn(Notification) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    fn call(
        &self,
        notification: Notification,
    ) -> impl Future<Output = Result<(), Failure>> + Send + 'static {
        self(notification)
    }
}

/// The ways out: to be deleted, or to be visible again after a while.
#[derive(Clone)]
pub struct Outgoing {
    pub deletions: mpsc::Sender<MessageId>,
    pub releases: mpsc::Sender<(Lease, Duration)>,
}

/// Handles a received message, and leaves its outcome to be told to the queue.
pub async fn handle(
    worker: &Worker,
    outgoing: &Outgoing,
    handler: Arc<impl Handler>,
    message: Received,
) {
    let lease = message.lease.clone();
    match worker.in_flight.admit(&lease, &worker.ending) {
        // The handler that runs already will settle it.
        Admission::Adopted => {}
        Admission::Delete => outgoing.delete(lease.id).await,
        Admission::Poison => outgoing.release(lease.clone(), worker.after_poison(&lease)).await,
        Admission::Handle(cancelled) => {
            let span = spans::process(worker.queue.name(), &message);
            // The call is part of the work: it may panic before there is a future.
            let work = async move { handler.call(message.notification).await };
            let work = work.instrument(span.clone());
            let outcome = run(work, worker.deadline(), cancelled).await;
            settle(worker, outgoing, lease, outcome).instrument(span).await;
        }
    }
}

/// How a handler ended.
enum Outcome {
    Done,
    Failed(anyhow::Error),
    Poison(anyhow::Error),
    /// Nobody waits for it any more: the lease is lost, or the process ends.
    Cancelled,
}

async fn run(
    work: impl Future<Output = Result<(), Failure>> + Send + 'static,
    deadline: Duration,
    cancelled: CancellationToken,
) -> Outcome {
    // A task of its own contains a panic; dropping its handle cancels it.
    let mut task = AbortOnDropHandle::new(tokio::spawn(work));
    let in_time = timeout(deadline, &mut task);
    let ended = cancelled.run_until_cancelled(in_time).await;
    let result = if let Some(Ok(result)) = ended {
        result
    } else {
        task.abort();
        // A handler that blocks its thread goes on regardless. Until it ends it is not let go, so
        // that its message is not handled twice at a time and its age shows in the health check.
        task.await
    };
    match result {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(Failure::Retry(error))) => Outcome::Failed(error),
        Ok(Err(Failure::Poison(error))) => Outcome::Poison(error),
        Err(stopped) if stopped.is_panic() => Outcome::Failed(anyhow!("the handler panicked")),
        Err(_) if cancelled.is_cancelled() => Outcome::Cancelled,
        Err(_) => Outcome::Failed(anyhow!("not done after {} s", deadline.as_secs_f32())),
    }
}

async fn settle(worker: &Worker, outgoing: &Outgoing, lease: Lease, outcome: Outcome) {
    let (message_id, attempt) = (&lease.id, lease.attempt);
    match outcome {
        Outcome::Done => {
            if worker.in_flight.processed(message_id) {
                outgoing.delete(lease.id).await;
            }
            return;
        }
        Outcome::Failed(reason) => {
            let reason = format!("{reason:#}");
            let last = worker.rules.tries.is_some_and(|tries| attempt >= tries);
            let next = if last { "that was its last try" } else { "it comes again" };
            tracing::warn!(message.id = %message_id, attempt, reason, "not handled: {next}");
        }
        Outcome::Poison(reason) => {
            let reason = format!("{reason:#}");
            tracing::error!(message.id = %message_id, attempt, reason, "cannot be handled");
            worker.in_flight.remember_poison(message_id);
            if let Some(lease) = worker.in_flight.abandon(message_id) {
                let visible_in = worker.after_poison(&lease);
                outgoing.release(lease, visible_in).await;
            }
            return;
        }
        Outcome::Cancelled if worker.ending.is_cancelled() => {
            if let Some(lease) = worker.in_flight.abandon(message_id) {
                outgoing.release(lease, Duration::ZERO).await;
            }
            return;
        }
        Outcome::Cancelled => {
            tracing::warn!(message.id = %message_id, attempt, "lost to another receiver; cancelled");
        }
    }
    if let Some(lease) = worker.in_flight.abandon(message_id) {
        let visible_in = worker.after_failure(&lease);
        outgoing.release(lease, visible_in).await;
    }
}

impl Outgoing {
    async fn delete(&self, id: MessageId) {
        // The channel is closed only when the process ends; then the message comes again.
        let _ = self.deletions.send(id).await;
    }

    async fn release(&self, lease: Lease, visible_in: Duration) {
        let _ = self.releases.send((lease, visible_in)).await;
    }
}

impl Worker {
    /// When a message that failed is to be visible again.
    fn after_failure(&self, lease: &Lease) -> Duration {
        match self.rules.tries {
            // SQS moves it at the receive after this one, so waiting would only delay that. One
            // that it has not moved by then stays: the tries are assumed, and are not the queue's.
            Some(tries) if lease.attempt == tries => Duration::ZERO,
            _ => full_jitter(RETRY_BASE, RETRY_MAX, lease.attempt),
        }
    }

    /// When a message that no try can handle is to be visible again.
    fn after_poison(&self, lease: &Lease) -> Duration {
        match self.rules.tries {
            Some(tries) if lease.attempt <= tries => Duration::ZERO,
            // Without a dead-letter queue it would come again at once, for ever.
            _ => self.after_failure(lease),
        }
    }
}
