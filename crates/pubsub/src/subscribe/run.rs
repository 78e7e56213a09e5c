//! A subscription from its start to its drain.

use std::{future::Future, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    acknowledge, batch,
    failure::Failure,
    handle::{Handler, Outgoing},
    intake, lease, release,
    settings::Settings,
    worker::Worker,
};
use crate::{health, notification::Notification};

/// How much of the drain is kept for deleting and releasing what was handled.
const FLUSH: Duration = Duration::from_secs(5);
/// How many outcomes wait for a batch; with more, the handlers' permits wait as well.
const MAX_WAITING: usize = 100;

/// Receives from the queue until `shutdown` is cancelled, and calls `handler` for each message.
///
/// The handler's future is dropped at its deadline, or if another receiver takes the message over; a
/// panic in it counts as [`Failure::Retry`].
///
/// # Errors
///
/// [`Misconfigured`](crate::env::Misconfigured) if the health port is taken. A queue that is
/// unavailable or refuses access is not an error: the worker reports itself unhealthy with the
/// reason, and keeps trying.
pub async fn subscribe<F>(
    aws: &SdkConfig,
    settings: impl Into<Settings>,
    shutdown: CancellationToken,
    handler: impl Fn(Notification) -> F + Send + Sync + 'static,
) -> anyhow::Result<()>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let settings = settings.into();
    let health = match settings.health_port {
        Some(port) => Some(health::listen("HEALTH_PORT", port).await?),
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
pub async fn run(worker: Arc<Worker>, shutdown: CancellationToken, handler: Arc<impl Handler>) {
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
        tracing::warn!(messages, "drain is over: giving back unfinished messages");
        worker.ending.cancel();
    }
    // Handlers hold the other ends of the channels: the flush ends after the last of them.
    drop(outgoing);
    if timeout(FLUSH, flush).await.is_err() {
        tracing::warn!("exiting before all deletes were sent: some messages will be redelivered");
    }
}
