//! The messages that this process holds, by id, and what became of those it held before.
//!
//! SQS delivers at least once: a copy of a message may come while the first is still handled, or
//! after it was handled but before it is deleted. The table is what keeps a copy from being handled
//! a second time.

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

/// How many messages are remembered after they were handled.
const MEMORY: NonZeroUsize = NonZeroUsize::new(1_000).expect("a thousand is not zero");
/// A lease is renewed when a third of it is left, or this much if that is less.
const MAX_RENEWAL_MARGIN: Duration = Duration::from_secs(10);
/// When a renewal that nobody answered is tried again.
const RENEWAL_RETRY: Duration = Duration::from_secs(3);

/// The table.
pub struct InFlight {
    visibility: Duration,
    handler_deadline: Duration,
    table: Mutex<Table>,
}

struct Table {
    held: HashMap<MessageId, Held>,
    /// Messages that must not be handled again should they come again.
    settled: LruCache<MessageId, Verdict>,
}

struct Held {
    /// The newest lease: an older receipt handle may answer "deleted" without deleting.
    lease: Lease,
    renew_at: Instant,
    lost: bool,
    work: Work,
}

enum Work {
    Handling {
        since: Instant,
        cancel: CancellationToken,
    },
    /// Handled with success; not yet deleted.
    Processed,
}

#[derive(Clone, Copy)]
enum Verdict {
    Processed,
    Poison,
}

/// What is to be done with a message that was received.
pub enum Admission {
    /// Handle it, until the token is cancelled.
    Handle(CancellationToken),
    /// Nothing: it is held already, now by this newer lease.
    Adopted,
    /// Delete it: it was handled before.
    Delete,
    /// Let it go on its way to the dead-letter queue.
    Poison,
}

impl InFlight {
    pub fn new(visibility: Duration, handler_deadline: Duration) -> Self {
        Self {
            visibility,
            handler_deadline,
            table: Mutex::new(Table { held: HashMap::new(), settled: LruCache::new(MEMORY) }),
        }
    }

    /// Takes in a message that was just received. `ending` cancels its handler, as losing its
    /// lease does.
    pub fn admit(&self, lease: &Lease, ending: &CancellationToken) -> Admission {
        let now = Instant::now();
        let mut table = self.lock();
        if let Some(held) = table.held.get_mut(&lease.id) {
            if lease.attempt >= held.lease.attempt {
                held.lease = lease.clone();
                held.renew_at = now + self.renewal_interval();
                held.lost = false;
            }
            return Admission::Adopted;
        }
        let (work, admission) = match table.settled.get(&lease.id) {
            Some(Verdict::Poison) => return Admission::Poison,
            Some(Verdict::Processed) => (Work::Processed, Admission::Delete),
            None => {
                let cancel = ending.child_token();
                let work = Work::Handling { since: now, cancel: cancel.clone() };
                (work, Admission::Handle(cancel))
            }
        };
        let held = Held {
            lease: lease.clone(),
            renew_at: now + self.renewal_interval(),
            lost: false,
            work,
        };
        table.held.insert(lease.id.clone(), held);
        admission
    }

    /// Notes that the handler succeeded. False if the lease was lost on the way: then the message
    /// is not ours to delete.
    pub fn processed(&self, id: &MessageId) -> bool {
        let mut table = self.lock();
        table.settled.put(id.clone(), Verdict::Processed);
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

    /// Lets go of a message that was not handled with success, and returns the lease to give back;
    /// `None` if it was lost on the way.
    pub fn abandon(&self, id: &MessageId) -> Option<Lease> {
        let held = self.lock().held.remove(id)?;
        (!held.lost).then_some(held.lease)
    }

    /// Remembers that no try can handle this message.
    pub fn remember_poison(&self, id: &MessageId) {
        self.lock().settled.put(id.clone(), Verdict::Poison);
    }

    /// The newest leases of the messages in `ids` that are held.
    pub fn newest(&self, ids: &[MessageId]) -> Vec<Lease> {
        let table = self.lock();
        let held = ids.iter().filter_map(|id| table.held.get(id));
        held.map(|held| held.lease.clone()).collect()
    }

    /// Lets go of a message whose deletion was answered. False if it came again meanwhile, with a
    /// newer receipt handle: then the answer may not mean that it is gone.
    pub fn deleted(&self, lease: &Lease) -> bool {
        let mut table = self.lock();
        let superseded = (table.held.get(&lease.id))
            .is_some_and(|held| held.lease.receipt_handle != lease.receipt_handle);
        if !superseded {
            table.held.remove(&lease.id);
            table.settled.put(lease.id.clone(), Verdict::Processed);
        }
        !superseded
    }

    /// The leases that need renewal now. A handler past its deadline gets none.
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

    /// Notes that `lease` was renewed at `since`.
    pub fn renewed(&self, lease: &Lease, since: Instant) {
        if let Some(held) = self.lock().held.get_mut(&lease.id) {
            held.renew_at = since + self.renewal_interval();
        }
    }

    /// Cancels the handler of a message that somebody else may have by now. True if it was handled.
    pub fn lost(&self, lease: &Lease) -> bool {
        match self.lock().held.get_mut(&lease.id) {
            // A message that was processed is deleted all the same, and one that came again
            // meanwhile is ours by the newer receipt handle.
            Some(Held { lease: newest, lost, work: Work::Handling { cancel, .. }, .. })
                if newest.receipt_handle == lease.receipt_handle =>
            {
                *lost = true;
                cancel.cancel();
                true
            }
            _ => false,
        }
    }

    /// How many messages are held, and for how long the oldest handler has been at work.
    pub fn census(&self) -> (usize, Duration) {
        let now = Instant::now();
        let table = self.lock();
        let oldest = table.held.values().filter_map(|held| held.age(now)).max();
        (table.held.len(), oldest.unwrap_or_default())
    }

    fn renewal_interval(&self) -> Duration {
        self.visibility - (self.visibility / 3).min(MAX_RENEWAL_MARGIN)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No code that can panic half-way runs under the lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// How long the handler has been at work.
    fn age(&self, now: Instant) -> Option<Duration> {
        match self.work {
            Work::Handling { since, .. } => Some(now.duration_since(since)),
            Work::Processed => None,
        }
    }
}
