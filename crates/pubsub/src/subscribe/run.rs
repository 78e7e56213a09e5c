//! Runs a subscription from its start to the end of its drain.

use std::sync::Arc;

use aws_config::SdkConfig;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    acknowledge, batch, gauges,
    handle::Outgoing,
    handler::{Call, FromMessage, Handler, Typed},
    intake, lease, release,
    settings::{FLUSH, Settings},
    worker::Worker,
};
use crate::health;

/// How many deletes, and how many releases, wait for a batch. Further messages keep their permits
/// until there is a place.
const MAX_WAITING: usize = 100;

/// Receives from a queue and calls `handler` for each message, until `shutdown` is cancelled. Then
/// it drains, for at most [`Settings::drain`], and returns.
///
/// To stop, cancel `shutdown`. Dropping this future is not a clean shutdown: messages that are not
/// deleted yet stay hidden until their visibility timeouts end.
///
/// # Errors
///
/// [`Misconfigured`](crate::env::Misconfigured) if it cannot listen on the health port, or if the
/// drain is shorter than a receive: that would lose what the last receive brings. It is not
/// an error if the queue is unavailable or denies access: the health check fails with the reason,
/// and the worker keeps trying.
pub async fn subscribe<E: FromMessage>(
    aws: &SdkConfig,
    settings: Settings,
    shutdown: CancellationToken,
    handler: impl Handler<E>,
) -> anyhow::Result<()> {
    subscribe_untyped(aws, settings, shutdown, Typed::new(handler)).await
}

/// [`subscribe`] with a handler that reads the messages itself.
pub async fn subscribe_untyped(
    aws: &SdkConfig,
    settings: Settings,
    shutdown: CancellationToken,
    handler: impl Call,
) -> anyhow::Result<()> {
    settings.check()?;
    let health = match settings.health_port {
        Some(port) => Some(health::listen("HEALTH_PORT", port).await?),
        None => None,
    };
    let starting = Worker::start(aws, settings);
    let Some((worker, attributes_are_known)) = shutdown.run_until_cancelled(starting).await else {
        return Ok(());
    };
    // Dropping the set aborts its tasks.
    let mut background = JoinSet::new();
    if let Some(listener) = health {
        let examined = Arc::clone(&worker);
        background.spawn(health::serve(listener, move || examined.examine()));
    }
    if !attributes_are_known {
        background.spawn(Arc::clone(&worker).read_attributes());
    }
    gauges::observe(&worker);
    run(worker, shutdown, Arc::new(handler)).await;
    Ok(())
}

/// Polls until `shutdown` is cancelled, then drains.
pub async fn run(worker: Arc<Worker>, shutdown: CancellationToken, handler: Arc<impl Call>) {
    // Dropping the set aborts its tasks.
    let mut renewal = JoinSet::new();
    renewal.spawn(lease::renew_forever(Arc::clone(&worker)));
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
    worker.stopping.cancel();

    let settled_by = Instant::now() + worker.settings.drain.saturating_sub(FLUSH);
    handlers.close();
    let settled = async {
        let _ = polls.await;
        handlers.wait().await;
    };
    if timeout_at(settled_by, settled).await.is_err() {
        let messages = handlers.len();
        tracing::warn!(messages, "drain timed out; releasing unfinished messages");
        worker.ending.cancel();
    }
    // The handlers hold clones of the senders, so the flush ends after the last handler.
    drop(outgoing);
    if timeout(FLUSH, flush).await.is_err() {
        tracing::warn!("exiting before all deletes were sent; some messages will be redelivered");
    }
}
