//! A transactional outbox on a DynamoDB table: everything that is stored is announced, despite
//! crashes, and announced again until somebody reports that it arrived.
//!
//! An item is its own outbox. [`Items::store`] adds the keys of a sparse index to it, so an item is
//! stored if and only if it will be announced, without a transaction or a second table. The update
//! that stores the first report removes them with [`REMOVE`]. While all is well, announcing costs
//! no write at all.
//!
//! The due time in the index is a lease. The process that stored an item has it first. It renews
//! the lease if announcing takes long, and notes the announcement if no report came in time; then
//! the item moves to another part of the index and waits there. If the process exits, the lease
//! expires, and the sweep of any process announces the item. That takes five seconds, or twenty
//! while reports are late: each would cost a note otherwise, and who is behind would stay behind.
//!
//! An item that was announced and not reported may be lost: its subscription did not exist yet, or
//! its queue refused it. It is announced again as soon as reports of later items come in, at
//! growing intervals. If no reports come in at all, the receiver is slow or stopped: then one item
//! of each shard is announced again at a time, as a probe, and the others wait.
//!
//! While the topic is unavailable, up to 40 items are retried in process and the others stay in the
//! index. An item that the topic refuses is set aside, with the reason, and retried at growing
//! intervals. Nothing is given up.
//!
//! A process that takes items faster than it can announce them makes those that store them wait in
//! [`Outbox::keep_pace`], for a second at most, so that it does not fall further behind.
//!
//! Receivers have to expect an announcement more than once.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use aws_config::SdkConfig;
use jiff::Timestamp;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

mod announcing;

mod held;

pub mod items;

mod metrics;

mod pace;

mod saturation;

pub mod shards;

mod store;

mod sweep;

mod table;

pub mod waiting;

#[cfg(test)]
mod tests;

use held::Held;
pub use items::{Item, Items};
pub use pace::FIRST_LEASE;
use pace::Pace;
use saturation::Saturation;
use shards::Shards;
use table::Table;
pub use table::{INDEX, REMOVE, due_at};

/// How many new items may wait in memory to be announced; the sweep announces the others.
pub const MAX_WAITING: usize = 10_000;
/// How many items are announced at once: enough to fill the concurrent requests to SNS.
const MAX_ANNOUNCING: u32 = 40;
/// How many of these slots an item takes while accepting goes first, so that ten are announced at
/// once: they fill a request.
const SLOTS_BEHIND_ACCEPTING: u32 = 4;
/// How often saturation is measured.
const MEASURE_EVERY: Duration = Duration::from_millis(100);
/// How long a lease is that was claimed or renewed: longer than a call with all its retries takes,
/// and so short that what a killed process had in hand is announced soon.
const LEASE_MS: RangeInclusive<u64> = 15_000..=20_000;
/// How long the drain waits for announcements in progress.
const DRAIN: Duration = Duration::from_secs(15);

/// What an outbox needs to know of the items that it announces.
pub trait Announce: Clone + Send + Sync + 'static {
    /// An item, as it was read.
    type Entry: Send + Sync + 'static;

    /// Reads an item.
    ///
    /// # Errors
    ///
    /// If it cannot be read. It is set aside then.
    fn read(&self, item: &Item) -> anyhow::Result<Self::Entry>;

    /// Where an item is, and since when.
    fn key(&self, entry: &Self::Entry) -> Key;

    /// Announces an item.
    ///
    /// # Errors
    ///
    /// If it was perhaps not announced. [`Unavailable`](pubsub::unavailable::Unavailable) among the
    /// causes says that the item is not at fault: then it is retried soon. With any other error it
    /// is set aside.
    fn announce(&self, entry: &Self::Entry) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// An announcement was noted on the item, which is this now.
    fn noted(&self, entry: Self::Entry);
}

/// Where an item is, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key `id` of the table.
    pub id: String,
    /// The part of the index.
    pub shard: u32,
    /// When the item was stored.
    pub stored_at: Timestamp,
    /// When the lease is over with which it is stored: after what [`Outbox::keep_pace`] said.
    pub due_at: Timestamp,
}

impl Key {
    /// Of an item that is stored without asking [`Outbox::keep_pace`], with the usual lease.
    pub fn new(id: impl Into<String>, shard: u32, stored_at: Timestamp) -> Self {
        Self { id: id.into(), shard, stored_at, due_at: stored_at + FIRST_LEASE }
    }
}

/// Where an outbox is, and what it waits for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The table, with the key `id` and the index `outbox` (see the crate's documentation).
    pub table: String,
    /// How many parts the index is spread over.
    pub shards: Shards,
    /// Whether reports are to be expected. Without, an announced item leaves the outbox at once.
    pub awaits_reports: bool,
}

/// Announces the items of a table. A clone is cheap, and is the same outbox.
#[derive(Clone, Debug)]
pub struct Outbox<A> {
    announce: A,
    table: Table,
    shards: Shards,
    awaits_reports: bool,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    held: Held,
    slots: Arc<Semaphore>,
    pace: Pace,
    /// Whether the last announcement failed because the topic is unavailable.
    unavailable: AtomicBool,
    /// Notified when the topic is available again.
    available: Notify,
    /// Notified when this process stored an item.
    stored: Notify,
    /// When the oldest item was stored that the last sweep found due, by part of the index:
    /// milliseconds; 0 without one.
    oldest_due: [AtomicI64; 2],
    /// When the latest of those items was announced that were reported here: milliseconds.
    reported: AtomicI64,
    stopping: CancellationToken,
    announcing: TaskTracker,
}

impl<A: Announce> Outbox<A> {
    /// An outbox, idle until [`Outbox::run`].
    pub fn new(aws: &SdkConfig, settings: Settings, announce: A) -> Self {
        Self {
            announce,
            table: Table::new(aws, settings.table),
            shards: settings.shards,
            awaits_reports: settings.awaits_reports,
            state: Arc::new(State {
                held: Held::default(),
                slots: Arc::new(Semaphore::new(MAX_ANNOUNCING as usize)),
                pace: Pace::default(),
                unavailable: AtomicBool::default(),
                available: Notify::new(),
                stored: Notify::new(),
                oldest_due: Default::default(),
                reported: AtomicI64::default(),
                stopping: CancellationToken::new(),
                announcing: TaskTracker::new(),
            }),
        }
    }

    /// Announces `fresh` items until `served` is cancelled, and sweeps until `shutdown` is; then
    /// finishes announcements in progress. The rest stays in the index for the next process.
    pub async fn run(
        self,
        mut fresh: mpsc::Receiver<A::Entry>,
        shutdown: CancellationToken,
        served: CancellationToken,
    ) {
        let (waiting, oldest) = (Arc::downgrade(&self.state), Arc::downgrade(&self.state));
        metrics::observe(
            self.table.name(),
            move || Some(waiting.upgrade()?.held.in_hand().0),
            move || Some(oldest.upgrade()?.oldest_age()),
        );
        let sweep = shutdown.run_until_cancelled(self.sweep_forever());
        let measure = served.run_until_cancelled(self.measure_forever());
        let announce = async {
            while let Some(Some(entry)) = served.run_until_cancelled(fresh.recv()).await {
                self.announce_fresh(entry).await;
                if fresh.is_empty() {
                    self.state.pace.next(None);
                }
            }
            self.state.pace.set_saturated(false);
            self.state.stopping.cancel();
            fresh.close();
            while let Some(entry) = fresh.recv().await {
                self.announce_fresh(entry).await;
            }
        };
        tokio::join!(sweep, announce, measure);
        let announcing = &self.state.announcing;
        announcing.close();
        if timeout(DRAIN, announcing.wait()).await.is_err() {
            let items = announcing.len();
            tracing::warn!(items, "items left in the outbox for the next process");
        }
    }

    /// Says that the item `id`, announced at this time, was reported. So the receiver works, and
    /// those that were announced before and are not reported may be lost.
    pub fn reported(&self, id: &str, announced_at: Timestamp) {
        if let Some(stored_at) = self.state.held.release(id) {
            self.state.pace.reported(stored_at);
        }
        self.state.reported.fetch_max(announced_at.as_millisecond(), Ordering::Relaxed);
    }

    /// Returns once this process announces items as soon as it takes them: at once, unless it is so
    /// busy that announcements are late, and after a second at most. Call it before an item is
    /// stored.
    ///
    /// While the topic is unavailable it returns at once: items are stored then, and announced
    /// later.
    ///
    /// Returns how long the lease has to be with which the item is stored.
    pub async fn keep_pace(&self) -> Duration {
        self.state.pace.keep(|| self.state.unavailable.load(Ordering::Relaxed)).await;
        self.state.pace.first_lease()
    }

    async fn measure_forever(&self) {
        let mut saturation = Saturation::new();
        loop {
            sleep(MEASURE_EVERY).await;
            self.state.pace.set_saturated(saturation.is_reached());
        }
    }

    /// A slot to announce an item, as soon as there is one.
    async fn slot(&self) -> OwnedSemaphorePermit {
        let slots = if self.state.pace.accepts_first() { SLOTS_BEHIND_ACCEPTING } else { 1 };
        let slots = Arc::clone(&self.state.slots).acquire_many_owned(slots).await;
        slots.expect("the semaphore is never closed")
    }
}

impl State {
    /// The age of the oldest item that is due, or in hand.
    fn oldest_age(&self) -> Duration {
        let due = self.oldest_due.iter().map(|due| due.load(Ordering::Relaxed));
        let since = due.filter(|due| *due > 0).min();
        let since = since.and_then(|due| Timestamp::from_millisecond(due).ok());
        let due = since.map(|since| Timestamp::now().duration_since(since));
        let due = due.and_then(|age| age.try_into().ok()).unwrap_or_default();
        self.held.in_hand().1.max(due)
    }
}

fn lease() -> Duration {
    random(LEASE_MS)
}

fn random(millis: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rand::random_range(millis))
}
