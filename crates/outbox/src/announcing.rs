//! Announcing one item.

use std::{sync::atomic::Ordering, time::Duration};

use jiff::Timestamp;
use pubsub::unavailable::Unavailable;
use tokio::{sync::OwnedSemaphorePermit, time::sleep};

use crate::{Announce, Key, Outbox, held::InHand, items::Item, lease, table::Due};

/// The first and the longest pause before an item is retried because the topic is unavailable.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// The first and the longest pause before an item that was refused is retried.
const REFUSED: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15 * 60));
/// The first and the longest pause before an announced item that nobody reported is looked at.
/// The first is longer than a message stays hidden after a worker was killed.
const REPORTED: (Duration, Duration) = (Duration::from_secs(2 * 60), Duration::from_secs(60 * 60));

/// What this process knows of an item in hand.
struct Known {
    id: String,
    shard: u32,
    announcements: u32,
    refusals: u32,
}

impl<A: Announce> Outbox<A> {
    /// Announces a new item, unless its lease is over by the time there is a slot.
    pub(crate) async fn announce_fresh(&self, entry: A::Entry) {
        self.state.stored.notify_one();
        let Key { id, shard, stored_at, due_at } = self.announce.key(&entry);
        self.state.pace.next(Some(stored_at));
        let slot = self.slot().await;
        let left: Duration = due_at.duration_since(Timestamp::now()).try_into().unwrap_or_default();
        if left.is_zero() {
            // The sweep, here or elsewhere, is about to announce it.
            return;
        }
        let known = Known { id, shard, announcements: 0, refusals: 0 };
        self.spawn(slot, known, Ok(entry), left, true);
    }

    /// Claims an item and announces it; false if another process was faster.
    pub(crate) async fn announce_due(
        &self,
        slot: OwnedSemaphorePermit,
        due: Due,
    ) -> anyhow::Result<bool> {
        let lease = lease();
        if !self.table.claim(&due, lease).await? {
            return Ok(false);
        }
        if due.announcements > 0 {
            let announcements = due.announcements + 1;
            tracing::warn!(id = due.id, announcements, "announced again: nobody reported it");
        }
        let entry = self.announce.read(&due.item);
        let Due { id, shard, announcements, refusals, .. } = due;
        self.spawn(slot, Known { id, shard, announcements, refusals }, entry, lease, false);
        Ok(true)
    }

    fn spawn(
        &self,
        slot: OwnedSemaphorePermit,
        known: Known,
        entry: anyhow::Result<A::Entry>,
        lease: Duration,
        is_first: bool,
    ) {
        let outbox = self.clone();
        self.state.announcing.spawn(async move {
            let stored_at = entry.as_ref().map(|entry| outbox.announce.key(entry).stored_at);
            let stored_at = stored_at.unwrap_or_else(|_| Timestamp::now());
            let item = outbox.state.held.take(&known.id, stored_at, lease, is_first);
            if let Err(error) = outbox.announce_held(&known, &item, entry).await {
                let error = format!("{error:#}");
                tracing::warn!(id = known.id, error, "the outbox cannot note an announcement");
            }
            drop(slot);
        });
    }

    async fn announce_held(
        &self,
        known: &Known,
        item: &InHand<'_>,
        entry: anyhow::Result<A::Entry>,
    ) -> anyhow::Result<()> {
        let announced = match entry {
            Ok(entry) => self.announce_until_settled(item, &entry).await,
            Err(error) => Err(error),
        };
        let at = match announced {
            Ok(Some(at)) => at,
            Ok(None) => return Ok(()),
            Err(error) => return self.set_aside(known, &error).await,
        };
        if !self.awaits_reports {
            self.noted(self.table.take_out(&known.id, at).await?)
        } else if item.has_first_lease() {
            // A report is about to take it out of the outbox; if not, the sweep notes it.
            item.announced(at);
            Ok(())
        } else {
            self.note(&known.id, known.shard, at, known.announcements).await
        }
    }

    /// Announces an item, and retries while the topic is unavailable. Returns when it was
    /// announced; `None` if the lease is over or the process stops.
    pub(crate) async fn announce_until_settled(
        &self,
        item: &InHand<'_>,
        entry: &A::Entry,
    ) -> anyhow::Result<Option<Timestamp>> {
        for retry in 0.. {
            if !item.is_current() {
                return Ok(None);
            }
            let error = match self.announce.announce(entry).await {
                Ok(()) => {
                    self.set_unavailable(None);
                    return Ok(Some(Timestamp::now()));
                }
                Err(error) if Unavailable::caused(&error) => error,
                Err(error) => return Err(error),
            };
            self.set_unavailable(Some(&error));
            tokio::select! {
                () = sleep(pause(RETRY, retry)) => {}
                // All slots are taken by items that wait: none of them waits longer than it has to.
                () = self.state.available.notified() => {}
                () = self.state.stopping.cancelled() => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Says once that an outage begins, and once that it is over.
    fn set_unavailable(&self, error: Option<&anyhow::Error>) {
        let was = self.state.unavailable.swap(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) if !was => {
                let error = format!("{error:#}");
                tracing::warn!(error, "topic is unavailable; the outbox keeps what is stored");
            }
            None if was => {
                tracing::info!("topic is available again");
                self.state.available.notify_waiters();
            }
            _ => {}
        }
    }

    async fn set_aside(&self, known: &Known, error: &anyhow::Error) -> anyhow::Result<()> {
        let (reason, pause) = (format!("{error:#}"), pause(REFUSED, known.refusals));
        let retry_seconds = pause.as_secs();
        tracing::error!(id = known.id, error = reason, retry_seconds, "set aside in the outbox");
        self.table.set_aside(&known.id, &reason, pause).await
    }

    /// Notes that an item was announced, after `before` other announcements.
    pub(crate) async fn note(
        &self,
        id: &str,
        shard: u32,
        at: Timestamp,
        before: u32,
    ) -> anyhow::Result<()> {
        let pause = pause(REPORTED, before);
        self.noted(self.table.note(id, shard, at, before + 1, pause).await?)
    }

    /// Says what an item is now, if an announcement was noted on it.
    fn noted(&self, item: Option<Item>) -> anyhow::Result<()> {
        if let Some(item) = item {
            self.announce.noted(self.announce.read(&item)?);
        }
        Ok(())
    }
}

/// The pause after `count` others: doubled each time up to the longest, and up to a quarter longer,
/// so that items do not stay in step.
fn pause((first, longest): (Duration, Duration), count: u32) -> Duration {
    let pause = first.saturating_mul(2_u32.saturating_pow(count.min(20))).min(longest);
    pause.mul_f64(rand::random_range(1.0..1.25))
}
