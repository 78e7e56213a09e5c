//! The messages in flight, and the last messages that were processed.
//!
//! SQS delivers at least once: a message may be delivered again while its handler runs, or after
//! that and before it is deleted. This table prevents a second run of the handler.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lru::LruCache;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::received::{Lease, MessageId};

/// How many messages are remembered after their handlers ended.
const MEMORY: NonZeroUsize = NonZeroUsize::new(1_000).expect("a thousand is not zero");
/// A lease is renewed when a third of the visibility timeout is left, or this if it is less.
const MAX_RENEWAL_MARGIN: Duration = Duration::from_secs(10);
/// How long after a failed renewal the next attempt follows.
const RENEWAL_RETRY: Duration = Duration::from_secs(3);

/// The messages in flight.
pub struct InFlight {
    handler_deadline: Duration,
    table: Mutex<Table>,
}

struct Table {
    visibility: Duration,
    held: HashMap<MessageId, Held>,
    /// What happened to the last messages.
    settled: LruCache<MessageId, Settled>,
}

/// A message in flight.
struct Held {
    /// The newest lease: SQS may accept a delete with an older receipt handle without deleting.
    lease: Lease,
    renew_at: Instant,
    lost: bool,
    work: Work,
}

enum Work {
    /// The handler runs, or waits for its turn in its group; then `since` is `None`.
    Handling { since: Option<Instant>, cancel: CancellationToken },
    /// The handler succeeded; the message is not yet deleted.
    Processed,
}

#[derive(Clone, Copy)]
enum Settled {
    Processed,
    /// The number of failures that it caused.
    Failed(u32),
    /// It is on its way to the dead-letter queue.
    GivenUp,
}

/// What to do with a received message.
pub enum Admission {
    /// Call the handler when it is its turn, after [`InFlight::begin`], and cancel it when the
    /// token is cancelled.
    Handle(CancellationToken),
    /// Nothing: the message is already in flight, and now has this lease.
    Adopted,
    /// Delete it: it was processed before.
    Delete,
    /// Release it: it is on its way to the dead-letter queue.
    Poison,
}

impl InFlight {
    pub fn new(visibility: Duration, handler_deadline: Duration) -> Self {
        let (held, settled) = (HashMap::new(), LruCache::new(MEMORY));
        Self { handler_deadline, table: Mutex::new(Table { visibility, held, settled }) }
    }

    /// Changes the visibility timeout, from which the time of the next renewal follows.
    pub fn set_visibility(&self, visibility: Duration) {
        self.lock().visibility = visibility;
    }

    /// Adds a message that was just received. Its handler is cancelled by `ending`, or if the lease
    /// is lost.
    pub fn admit(&self, lease: &Lease, ending: &CancellationToken) -> Admission {
        let now = Instant::now();
        let mut table = self.lock();
        let renew_at = now + table.renewal_interval();
        if let Some(held) = table.held.get_mut(&lease.id) {
            if lease.attempt >= held.lease.attempt {
                held.lease = lease.clone();
                held.renew_at = renew_at;
                held.lost = false;
            }
            return Admission::Adopted;
        }
        let (work, admission) = match table.settled.get(&lease.id) {
            Some(Settled::GivenUp) => return Admission::Poison,
            Some(Settled::Processed) => (Work::Processed, Admission::Delete),
            Some(Settled::Failed(_)) | None => {
                let cancel = ending.child_token();
                let work = Work::Handling { since: None, cancel: cancel.clone() };
                (work, Admission::Handle(cancel))
            }
        };
        let held = Held { lease: lease.clone(), renew_at, lost: false, work };
        table.held.insert(lease.id.clone(), held);
        admission
    }

    /// Records that the handler of a message starts.
    pub fn begin(&self, id: &MessageId) {
        if let Some(Held { work: Work::Handling { since, .. }, .. }) = self.lock().held.get_mut(id)
        {
            *since = Some(Instant::now());
        }
    }

    /// Records that the handler of a message does not run for now.
    pub fn wait(&self, id: &MessageId) {
        if let Some(Held { work: Work::Handling { since, .. }, .. }) = self.lock().held.get_mut(id)
        {
            *since = None;
        }
    }

    /// Counts a failure that the message caused, and returns how many it had in this process.
    pub fn failed(&self, id: &MessageId) -> u32 {
        let mut table = self.lock();
        let before = match table.settled.get(id) {
            Some(Settled::Failed(failures)) => *failures,
            _ => 0,
        };
        table.settled.put(id.clone(), Settled::Failed(before + 1));
        before + 1
    }

    /// Records that the handler succeeded. False if the lease was lost meanwhile: then the message
    /// must not be deleted.
    pub fn processed(&self, id: &MessageId) -> bool {
        let mut table = self.lock();
        table.settled.put(id.clone(), Settled::Processed);
        match table.held.get_mut(id) {
            Some(held) if !held.lost => {
                held.work = Work::Processed;
                true
            }
            _ => {
                table.held.remove(id);
                false
            }
        }
    }

    /// Removes a message whose handler did not succeed, and returns its lease; `None` if the lease
    /// was lost meanwhile.
    pub fn remove(&self, id: &MessageId) -> Option<Lease> {
        let held = self.lock().held.remove(id)?;
        (!held.lost).then_some(held.lease)
    }

    /// Remembers that a message is poison or has no retries left, so that its handler is not called
    /// again.
    pub fn give_up(&self, id: &MessageId) {
        self.lock().settled.put(id.clone(), Settled::GivenUp);
    }

    /// The newest leases of those messages in `ids` that are in flight.
    pub fn newest_leases(&self, ids: &[MessageId]) -> Vec<Lease> {
        let table = self.lock();
        let held = ids.iter().filter_map(|id| table.held.get(id));
        held.map(|held| held.lease.clone()).collect()
    }

    /// Removes a message after a delete with `lease`. False if it was redelivered meanwhile: it may
    /// still exist then, and has to be deleted with the newer receipt handle.
    pub fn deleted(&self, lease: &Lease) -> bool {
        let mut table = self.lock();
        let superseded = (table.held.get(&lease.id))
            .is_some_and(|held| held.lease.receipt_handle != lease.receipt_handle);
        if !superseded {
            table.held.remove(&lease.id);
            table.settled.put(lease.id.clone(), Settled::Processed);
        }
        !superseded
    }

    /// The leases to renew now, except those of handlers past their deadline.
    pub fn due(&self) -> Vec<Lease> {
        let now = Instant::now();
        let mut due = Vec::new();
        for held in self.lock().held.values_mut() {
            let late = held.age(now).is_some_and(|age| age >= self.handler_deadline);
            if held.renew_at <= now && !held.lost && !late {
                held.renew_at = now + RENEWAL_RETRY;
                due.push(held.lease.clone());
            }
        }
        due
    }

    /// Records that `lease` was renewed at `since`.
    pub fn renewed(&self, lease: &Lease, since: Instant) {
        let mut table = self.lock();
        let renew_at = since + table.renewal_interval();
        if let Some(held) = table.held.get_mut(&lease.id) {
            held.renew_at = renew_at;
        }
    }

    /// Records that `lease` was lost, and cancels the handler: another worker may have the message.
    ///
    /// Nothing changes if the message was processed, because it still has to be deleted, or if it
    /// was redelivered to this process with a newer lease.
    pub fn lost(&self, lease: &Lease) {
        if let Some(held) = self.lock().held.get_mut(&lease.id)
            && let Work::Handling { cancel, .. } = &held.work
            && held.lease.receipt_handle == lease.receipt_handle
        {
            held.lost = true;
            cancel.cancel();
        }
    }

    /// Whether no message is in flight.
    pub fn is_empty(&self) -> bool {
        self.lock().held.is_empty()
    }

    /// The number of messages in flight, and how long the oldest handler has been running.
    pub fn count_and_oldest(&self) -> (usize, Duration) {
        let now = Instant::now();
        let table = self.lock();
        let oldest = table.held.values().filter_map(|held| held.age(now)).max();
        (table.held.len(), oldest.unwrap_or_default())
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Code that holds the lock cannot panic between two changes.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn renewal_interval(&self) -> Duration {
        self.visibility - (self.visibility / 3).min(MAX_RENEWAL_MARGIN)
    }
}

impl Held {
    /// How long the handler has been running; `None` before it starts and after it has succeeded.
    fn age(&self, now: Instant) -> Option<Duration> {
        match self.work {
            Work::Handling { since, .. } => since.map(|since| now.duration_since(since)),
            Work::Processed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// A table with one message, whose lease was taken now.
    fn with_message(visibility: Duration) -> (InFlight, Lease) {
        let in_flight = InFlight::new(Duration::from_secs(30), Duration::from_secs(25));
        in_flight.set_visibility(visibility);
        let lease = Lease { id: "a".into(), receipt_handle: "1".to_owned(), attempt: 1 };
        let admission = in_flight.admit(&lease, &CancellationToken::new());
        assert!(matches!(admission, Admission::Handle(_)));
        (in_flight, lease)
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_whose_lease_was_lost_is_not_to_be_deleted_although_its_handler_succeeded() {
        let (in_flight, lease) = with_message(Duration::from_secs(60));
        in_flight.lost(&lease);
        assert!(!in_flight.processed(&lease.id));
        let (in_flight, lease) = with_message(Duration::from_secs(60));
        assert!(in_flight.processed(&lease.id));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_renewed_by_the_visibility_timeout_that_the_queue_has() {
        for (visibility, due_after) in [(12, 8), (60, 50)] {
            let (in_flight, _) = with_message(Duration::from_secs(visibility));
            advance(Duration::from_secs(due_after) - Duration::from_millis(1)).await;
            assert!(in_flight.due().is_empty(), "{visibility} s");
            advance(Duration::from_millis(2)).await;
            assert_eq!(in_flight.due().len(), 1, "{visibility} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_lease_is_renewed_again_after_as_long_as_the_first_time() {
        let (in_flight, lease) = with_message(Duration::from_secs(60));
        let before_due = Duration::from_millis(49_990);
        for renewal in 0..3 {
            advance(before_due).await;
            assert!(in_flight.due().is_empty(), "before renewal {renewal}");
            advance(Duration::from_millis(10)).await;
            assert_eq!(in_flight.due().len(), 1, "renewal {renewal}");
            in_flight.renewed(&lease, Instant::now());
        }
    }
}
