//! Calls the handler for a message, then deletes or releases the message.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::anyhow;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::Instrument as _;

use super::{
    back_off::full_jitter,
    failure::Failure,
    handler::Call,
    in_flight::Admission,
    metrics::Ended,
    received::{Lease, MessageId, Received},
    spans,
    worker::Worker,
};
use crate::replay;

/// How many times a handler may fail because of a message before the message is given up. The queue
/// allows more receives, because a process that is killed uses up one for each message it holds.
pub const MAX_FAILURES: u32 = 3;
const UNAVAILABLE_BASE: Duration = Duration::from_millis(500);
const UNAVAILABLE_MAX: Duration = Duration::from_secs(30);
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
        Admission::Adopted => Err(Redelivered { visible_in: worker.attributes().visibility }),
        Admission::Poison => {
            let visible_in = worker.after_poison(&lease);
            outgoing.release(lease, visible_in).await;
            Err(Redelivered { visible_in })
        }
        Admission::Handle(cancelled) => {
            let span = spans::process(worker.queue.name(), &message);
            async {
                let outcome = until_available(worker, handler, &message, &cancelled).await;
                settle(worker, outgoing, lease, outcome).await
            }
            .instrument(span)
            .await
        }
    }
}

/// Calls the handler until it does not fail because of a dependency. Meanwhile the message is kept:
/// its lease is renewed.
async fn until_available(
    worker: &Worker,
    handler: &Arc<impl Call>,
    message: &Received,
    cancelled: &CancellationToken,
) -> Outcome {
    let id = &message.lease.id;
    let mut notification = message.notification.clone();
    loop {
        let slot = worker.breaker.slot();
        let Some(slot) = waiting(worker, cancelled, notification.retries, slot).await else {
            return Outcome::Cancelled;
        };
        worker.in_flight.begin(id);
        let (called, argument) = (Arc::clone(handler), notification.clone());
        // The call is inside the future too, because it may panic before it returns its future. The
        // box keeps its size out of the futures around it, which move several times.
        let work = Box::pin(async move {
            let replay = replay::of(&argument.attributes);
            replay::causes(replay, async { called.call(argument).await }).await
        })
        .in_current_span();
        let began = Instant::now();
        let outcome = run(work, worker, cancelled).await;
        worker.metrics.called(began.elapsed());
        drop(slot);
        let Outcome::Unavailable(reason) = outcome else {
            if matches!(outcome, Outcome::Done) {
                worker.breaker.succeeded();
            }
            return outcome;
        };
        worker.metrics.ended(Ended::Unavailable);
        worker.breaker.failed();
        worker.in_flight.wait(id);
        notification.retries += 1;
        if notification.retries == 1 {
            let reason = format!("{reason:#}");
            let attempt = message.lease.attempt;
            tracing::warn!(
                message.id = %id,
                attempt,
                reason,
                "a dependency is unavailable; the message is kept and retried"
            );
        }
        let pause = full_jitter(UNAVAILABLE_BASE, UNAVAILABLE_MAX, notification.retries);
        if waiting(worker, cancelled, notification.retries, sleep(pause)).await.is_none() {
            return Outcome::Cancelled;
        }
    }
}

/// The result of `wait`; `None` if the handler is cancelled meanwhile. A handler that was called
/// before is not called again after SIGTERM: the dependency will hardly be back in time.
async fn waiting<T>(
    worker: &Worker,
    cancelled: &CancellationToken,
    retries: u32,
    wait: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        () = cancelled.cancelled() => None,
        () = worker.stopping.cancelled(), if retries > 0 => None,
        done = wait => Some(done),
    }
}

/// How a handler ended.
enum Outcome {
    Done,
    Unavailable(anyhow::Error),
    Failed(anyhow::Error),
    Poison(anyhow::Error),
    /// The lease was lost, or the worker exits.
    Cancelled,
}

async fn run(
    work: impl Future<Output = Result<(), Failure>> + Send + 'static,
    worker: &Worker,
    cancelled: &CancellationToken,
) -> Outcome {
    let deadline = worker.settings.handler_deadline;
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
        Ok(Err(Failure::Unavailable(error))) => Outcome::Unavailable(error),
        Ok(Err(Failure::Retry(error))) => Outcome::Failed(error),
        Ok(Err(Failure::Poison(error))) => Outcome::Poison(error),
        Err(stopped) if stopped.is_panic() => Outcome::Failed(anyhow!("the handler panicked")),
        Err(_) if cancelled.is_cancelled() => Outcome::Cancelled,
        Err(_) => {
            let timed_out = anyhow!("timed out after {} s", deadline.as_secs_f32());
            // While dependencies fail, it is most likely one of them that takes so long.
            if worker.breaker.is_limiting() {
                Outcome::Unavailable(timed_out)
            } else {
                Outcome::Failed(timed_out)
            }
        }
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
            worker.metrics.ended(Ended::Handled);
            if worker.in_flight.processed(&lease.id) {
                outgoing.delete(lease.id).await;
            }
            return Ok(());
        }
        Outcome::Failed(reason) | Outcome::Unavailable(reason) => {
            let (reason, attempt) = (format!("{reason:#}"), lease.attempt);
            let failures = worker.in_flight.failed(&lease.id);
            let last = worker.has_no_retries_left(&lease, failures);
            worker.metrics.ended(if last { Ended::Poison } else { Ended::Retried });
            let next = if last { "no retries left" } else { "it will be retried" };
            tracing::warn!(message.id = %lease.id, attempt, reason, "handler failed; {next}");
            if last {
                worker.in_flight.give_up(&lease.id);
                worker.after_poison(&lease)
            } else {
                worker.after_failure(failures)
            }
        }
        Outcome::Poison(reason) => {
            let (reason, attempt) = (format!("{reason:#}"), lease.attempt);
            tracing::error!(message.id = %lease.id, attempt, reason, "poison message");
            worker.metrics.ended(Ended::Poison);
            worker.in_flight.give_up(&lease.id);
            worker.after_poison(&lease)
        }
        Outcome::Cancelled if worker.stopping.is_cancelled() => {
            worker.metrics.ended(Ended::Cancelled);
            Duration::ZERO
        }
        Outcome::Cancelled => {
            worker.metrics.ended(Ended::Cancelled);
            let attempt = lease.attempt;
            tracing::warn!(message.id = %lease.id, attempt, "lease lost; handler cancelled");
            worker.after_failure(1)
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
    /// Whether a failed message goes to the dead-letter queue. Without one it is retried for ever.
    fn has_no_retries_left(&self, lease: &Lease, failures: u32) -> bool {
        let max_receives = self.attributes().max_receives;
        max_receives.is_some_and(|max| failures >= MAX_FAILURES || lease.attempt >= max)
    }

    /// How long until a message becomes visible again after this many failures.
    fn after_failure(&self, failures: u32) -> Duration {
        full_jitter(RETRY_BASE, RETRY_MAX, failures)
    }

    /// How long until a message becomes visible again that is given up: SQS moves it to the
    /// dead-letter queue when it has been received often enough, so a delay is useless.
    pub fn after_poison(&self, lease: &Lease) -> Duration {
        match self.attributes().max_receives {
            Some(max) if lease.attempt <= max => Duration::ZERO,
            // Without a dead-letter queue, it would be redelivered in a tight loop.
            _ => self.after_failure(lease.attempt),
        }
    }
}
