//! Announces every stored order, despite crashes.
//!
//! A new order arrives over a channel, right after it was stored. If the process exits before the
//! order is announced, or the channel is full, the order is still in the outbox index of the table.
//! Any publisher's sweep finds it there once it is overdue. Sweeping publishers share the work by
//! claims: a claim moves the due time, and so is a lease that expires by itself.
//!
//! Accepting orders has priority. While the process is saturated, few orders are announced at once;
//! the others wait in memory, and then in the index.
//!
//! So an event is published, at least once, if and only if its order was stored. A crash between
//! publishing and noting it publishes the event twice; subscribers expect that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use orders::event;
use pubsub::{telemetry::SPANS, topic::Topic, trace};
use rand::RngExt as _;
use tokio::{
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use crate::{
    live::Live,
    orders_table::{OrdersTable, Overdue, PlacedOrder, SHARDS, SWEEP_LIMIT},
};

mod saturation;

#[cfg(test)]
mod tests;

use saturation::Saturation;

/// How many new orders may wait to be announced; the sweep announces the others.
pub const MAX_WAITING: usize = 10_000;
/// How many orders are announced at once: enough to fill the concurrent requests to SNS.
const MAX_ANNOUNCING: u32 = 40;
/// How many of these slots an order takes while the process is saturated, so that three are
/// announced at once.
const SLOTS_WHEN_SATURATED: u32 = 13;
/// How often saturation is measured.
const MEASURE_EVERY: Duration = Duration::from_millis(100);
/// How often the sweep looks for overdue orders; the jitter keeps publishers from sweeping at the
/// same time.
const SWEEP_EVERY_MS: std::ops::RangeInclusive<u64> = 1_000..=3_000;
/// How long a claim lasts: longer than announcing takes with all its retries. After it, an order
/// that could not be announced is retried.
const CLAIM_LEASE_MS: std::ops::RangeInclusive<u64> = 30_000..=40_000;
/// How long the drain waits for announcements in progress.
const DRAIN: Duration = Duration::from_secs(15);

/// Announces the orders of a table on a topic.
#[derive(Clone)]
pub struct Outbox {
    orders: OrdersTable,
    topic: Topic,
    live: Live,
    slots: Arc<Semaphore>,
    saturated: Arc<AtomicBool>,
    announcing: TaskTracker,
}

impl Outbox {
    /// An outbox, idle until [`Outbox::run`].
    pub fn new(orders: OrdersTable, topic: Topic, live: Live) -> Self {
        Self {
            orders,
            topic,
            live,
            slots: Arc::new(Semaphore::new(MAX_ANNOUNCING as usize)),
            saturated: Arc::default(),
            announcing: TaskTracker::new(),
        }
    }

    /// Announces `fresh` orders until `served` is cancelled, and sweeps until `shutdown` is; then
    /// finishes announcements in progress. The rest stays in the index for the next process.
    pub async fn run(
        self,
        mut fresh: mpsc::Receiver<PlacedOrder>,
        shutdown: CancellationToken,
        served: CancellationToken,
    ) {
        let sweep = shutdown.run_until_cancelled(self.sweep_forever());
        let measure = served.run_until_cancelled(self.measure_forever());
        let announce = async {
            while let Some(Some(order)) = served.run_until_cancelled(fresh.recv()).await {
                self.spawn_fresh(order).await;
            }
            self.saturated.store(false, Ordering::Relaxed);
            fresh.close();
            while let Some(order) = fresh.recv().await {
                self.spawn_fresh(order).await;
            }
        };
        tokio::join!(sweep, announce, measure);
        self.announcing.close();
        if timeout(DRAIN, self.announcing.wait()).await.is_err() {
            let orders = self.announcing.len();
            tracing::warn!(orders, "orders left in the outbox for the next process");
        }
    }

    async fn measure_forever(&self) {
        let mut saturation = Saturation::new();
        loop {
            sleep(MEASURE_EVERY).await;
            self.saturated.store(saturation.is_reached(), Ordering::Relaxed);
        }
    }

    async fn sweep_forever(&self) {
        loop {
            sleep(random(SWEEP_EVERY_MS)).await;
            while self.sweep_all().await {}
        }
    }

    /// Announces overdue orders of every shard; true if a shard has more.
    async fn sweep_all(&self) -> bool {
        let mut more = false;
        // Publishers that sweep at the same time start at different shards.
        let first = rand::rng().random_range(0..SHARDS);
        for shard in (0..SHARDS).map(|shard| (first + shard) % SHARDS) {
            match self.sweep(shard).await {
                Ok(left) => more |= left,
                Err(error) => {
                    tracing::warn!(shard, error = format!("{error:#}"), "cannot sweep the outbox");
                }
            }
        }
        more
    }

    /// Announces overdue orders of one shard; true if the shard has more.
    async fn sweep(&self, shard: u32) -> anyhow::Result<bool> {
        let overdue = self.orders.overdue(shard).await?;
        if let Some(oldest) = overdue.iter().map(Overdue::age).max() {
            tracing::info!(
                outbox.shard = shard,
                outbox.overdue = overdue.len(),
                outbox.oldest_seconds = oldest.as_secs(),
                "announcing overdue orders"
            );
        }
        let more = overdue.len() == SWEEP_LIMIT;
        for overdue in overdue {
            let (outbox, id) = (self.clone(), overdue.id.clone());
            self.spawn(id, async move { outbox.announce_overdue(overdue).await }).await;
        }
        Ok(more)
    }

    /// Runs `work` on the order `id` in the background, as soon as a slot is free.
    async fn spawn(
        &self,
        id: String,
        work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let slots = if self.saturated.load(Ordering::Relaxed) { SLOTS_WHEN_SATURATED } else { 1 };
        let Ok(slot) = Arc::clone(&self.slots).acquire_many_owned(slots).await else {
            return;
        };
        self.announcing.spawn(async move {
            if let Err(error) = work.await {
                tracing::warn!(order.id = id, error = format!("{error:#}"), "not announced yet");
            }
            drop(slot);
        });
    }

    async fn spawn_fresh(&self, placed: PlacedOrder) {
        if placed.is_overdue() {
            // The sweep, here or elsewhere, is about to announce it.
            return;
        }
        let outbox = self.clone();
        let id = placed.order.id.to_string();
        self.spawn(id, async move { outbox.announce(placed).await }).await;
    }

    async fn announce_overdue(&self, overdue: Overdue) -> anyhow::Result<()> {
        if !self.orders.claim(&overdue, random(CLAIM_LEASE_MS)).await? {
            return Ok(());
        }
        self.announce(overdue.placed?).await
    }

    /// Announces an order, in the trace of the request that placed it.
    async fn announce(&self, placed: PlacedOrder) -> anyhow::Result<()> {
        let PlacedOrder { order, traceparent, .. } = placed;
        let span =
            tracing::info_span!(target: SPANS, parent: None, "announce", order.id = %order.id);
        trace::set_parent(&span, traceparent.as_deref());
        async {
            self.topic.publish(event::order_placed(&order)).await?;
            tracing::info!(order.id = %order.id, amount = %order.amount, "order announced");
            if let Some(placed) = self.orders.announced(order.id).await? {
                self.live.changed(&order.id, placed);
            }
            Ok(())
        }
        .instrument(span)
        .await
    }
}

fn random(millis: std::ops::RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rand::rng().random_range(millis))
}
