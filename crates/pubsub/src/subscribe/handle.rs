//! Calls the handler for a message, then deletes or releases the message.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::anyhow;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::Instrument as _;

use super::{
    back_off::full_jitter,
    failure::Failure,
    handler::Call,
    in_flight::Admission,
    received::{Lease, MessageId, Received},
    spans,
    worker::Worker,
};

const RETRY_BASE: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(15 * 60);

/// The messages to delete, and those to release with the delay of their retry.
#[derive(Clone)]
pub struct Outgoing {
    pub deletions: mpsc::Sender<MessageId>,
    pub releases: mpsc::Sender<(Lease, Duration)>,
}

/// When a message that was not processed becomes visible again.
pub struct Redelivered {
    pub visible_in: Duration,
}

/// Handles a received message, and sends it to be deleted or released.
///
/// # Errors
///
/// If it was not processed.
pub async fn handle(
    worker: &Worker,
    outgoing: &Outgoing,
    handler: &Arc<impl Call>,
    message: Received,
    admission: Admission,
) -> Result<(), Redelivered> {
    let lease = message.lease.clone();
    match admission {
        Admission::Delete => {
            outgoing.delete(lease.id).await;
            Ok(())
        }
        // The task of the running handler deletes or releases it.
        Admission::Adopted => Err(Redelivered { visible_in: worker.attributes.visibility }),
        Admission::Poison => {
            let visible_in = worker.after_poison(&lease);
            outgoing.release(lease, visible_in).await;
            Err(Redelivered { visible_in })
        }
        Admission::Handle(cancelled) => {
            let span = spans::process(worker.queue.name(), &message);
            worker.in_flight.begin(&lease.id);
            let handler = Arc::clone(handler);
            // The call is inside the future too, because it may panic before it returns its future.
            let work = async move { handler.call(message.notification).await };
            let work = work.instrument(span.clone());
            let outcome = run(work, worker.settings.handler_deadline, cancelled).await;
            settle(worker, outgoing, lease, outcome).instrument(span).await
        }
    }
}

/// How a handler ended.
enum Outcome {
    Done,
    Failed(anyhow::Error),
    Poison(anyhow::Error),
    /// The lease was lost, or the drain timed out.
    Cancelled,
}

async fn run(
    work: impl Future<Output = Result<(), Failure>> + Send + 'static,
    deadline: Duration,
    cancelled: CancellationToken,
) -> Outcome {
    // A separate task contains a panic. Dropping its handle aborts it.
    let mut task = AbortOnDropHandle::new(tokio::spawn(work));
    let in_time = timeout(deadline, &mut task);
    let ended = cancelled.run_until_cancelled(in_time).await;
    let result = if let Some(Ok(result)) = ended {
        result
    } else {
        task.abort();
        // A handler that blocks its thread cannot be aborted. Waiting for it keeps its message in
        // flight, so that no second handler starts and the health check sees its age.
        task.await
    };
    match result {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(Failure::Retry(error))) => Outcome::Failed(error),
        Ok(Err(Failure::Poison(error))) => Outcome::Poison(error),
        Err(stopped) if stopped.is_panic() => Outcome::Failed(anyhow!("the handler panicked")),
        Err(_) if cancelled.is_cancelled() => Outcome::Cancelled,
        Err(_) => Outcome::Failed(anyhow!("timed out after {} s", deadline.as_secs_f32())),
    }
}

async fn settle(
    worker: &Worker,
    outgoing: &Outgoing,
    lease: Lease,
    outcome: Outcome,
) -> Result<(), Redelivered> {
    let visible_in = match outcome {
        Outcome::Done => {
            if worker.in_flight.processed(&lease.id) {
                outgoing.delete(lease.id).await;
            }
            return Ok(());
        }
        Outcome::Failed(reason) => {
            let (reason, attempt) = (format!("{reason:#}"), lease.attempt);
            let last = worker.attributes.max_receives.is_some_and(|max| attempt >= max);
            let next = if last { "no retries left" } else { "it will be retried" };
            tracing::warn!(message.id = %lease.id, attempt, reason, "handler failed; {next}");
            worker.after_failure(&lease)
        }
        Outcome::Poison(reason) => {
            let (reason, attempt) = (format!("{reason:#}"), lease.attempt);
            tracing::error!(message.id = %lease.id, attempt, reason, "poison message");
            worker.in_flight.remember_poison(&lease.id);
            worker.after_poison(&lease)
        }
        Outcome::Cancelled if worker.ending.is_cancelled() => Duration::ZERO,
        Outcome::Cancelled => {
            let attempt = lease.attempt;
            tracing::warn!(message.id = %lease.id, attempt, "lease lost; handler cancelled");
            worker.after_failure(&lease)
        }
    };
    if let Some(newest) = worker.in_flight.remove(&lease.id) {
        outgoing.release(newest, visible_in).await;
    }
    Err(Redelivered { visible_in })
}

impl Outgoing {
    pub async fn delete(&self, id: MessageId) {
        // The channel is closed only if the process exits. The message is redelivered then.
        let _ = self.deletions.send(id).await;
    }

    pub async fn release(&self, lease: Lease, visible_in: Duration) {
        let _ = self.releases.send((lease, visible_in)).await;
    }
}

impl Worker {
    /// How long until a failed message becomes visible again.
    fn after_failure(&self, lease: &Lease) -> Duration {
        match self.attributes.max_receives {
            // SQS moves it to the dead-letter queue at the next receive, so a delay is useless. If
            // SQS does not, the limit was only assumed, and later attempts back off again.
            Some(max) if lease.attempt == max => Duration::ZERO,
            _ => full_jitter(RETRY_BASE, RETRY_MAX, lease.attempt),
        }
    }

    /// How long until a poison message becomes visible again.
    pub fn after_poison(&self, lease: &Lease) -> Duration {
        match self.attributes.max_receives {
            Some(max) if lease.attempt <= max => Duration::ZERO,
            // Without a dead-letter queue, it would be redelivered in a tight loop.
            _ => self.after_failure(lease),
        }
    }
}
