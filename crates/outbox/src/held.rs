//! The leases that this process has.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

/// How long an announced item is remembered after its lease: longer than a sweep takes.
const MEMORY: Duration = Duration::from_secs(5);

/// How far this process is with an item that it has the lease of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is about to be announced.
    InHand,
    /// It was announced at this time, which is not noted.
    Announced(Timestamp),
}

#[derive(Debug)]
struct Lease {
    hold: Hold,
    stored_at: Timestamp,
    until: Instant,
    is_first: bool,
}

/// The items that this process has the leases of.
#[derive(Debug, Default)]
pub struct Held(Mutex<HashMap<String, Lease>>);

/// Keeps an item in hand. When dropped, the item is released, unless it was announced.
#[must_use]
pub struct InHand<'a> {
    held: &'a Held,
    id: &'a str,
}

impl Held {
    fn leases(&self) -> MutexGuard<'_, HashMap<String, Lease>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an item in hand. `is_first` says that the lease is the one it was stored with.
    pub fn take<'a>(
        &'a self,
        id: &'a str,
        stored_at: Timestamp,
        lease: Duration,
        is_first: bool,
    ) -> InHand<'a> {
        let until = Instant::now() + lease;
        let lease = Lease { hold: Hold::InHand, stored_at, until, is_first };
        self.leases().insert(id.to_owned(), lease);
        InHand { held: self, id }
    }

    /// How far this process is with an item; `None` if it does not have it.
    pub fn get(&self, id: &str) -> Option<Hold> {
        self.leases().get(id).map(|lease| lease.hold)
    }

    /// How many items are in hand, and the age of the oldest: another process may have had it
    /// before.
    pub fn in_hand(&self) -> (usize, Duration) {
        let leases = self.leases();
        let in_hand = leases.values().filter(|lease| lease.hold == Hold::InHand);
        let now = Timestamp::now();
        let ages = in_hand.map(|lease| now.duration_since(lease.stored_at));
        let ages = ages.map(|age| age.try_into().unwrap_or_default());
        ages.fold((0, Duration::ZERO), |(count, oldest), age| (count + 1, oldest.max(age)))
    }

    /// The lease of an item in hand was renewed.
    pub fn renew(&self, id: &str, lease: Duration) {
        if let Some(held) = self.leases().get_mut(id) {
            (held.until, held.is_first) = (Instant::now() + lease, false);
        }
    }

    /// Forgets an item. Returns when it was stored; `None` if it was not held.
    pub fn release(&self, id: &str) -> Option<Timestamp> {
        self.leases().remove(id).map(|lease| lease.stored_at)
    }

    /// Forgets announced items whose leases are over: reports came in, here or elsewhere.
    pub fn forget_old(&self) {
        let now = Instant::now();
        self.leases().retain(|_, lease| lease.hold == Hold::InHand || lease.until + MEMORY > now);
    }
}

impl InHand<'_> {
    /// Whether the lease still holds. If not, another process may announce the item.
    pub fn is_current(&self) -> bool {
        self.held.leases().get(self.id).is_some_and(|lease| lease.until > Instant::now())
    }

    /// Whether the item has the lease that it was stored with: then its due time is near, and the
    /// sweep looks whether it was reported.
    pub fn has_first_lease(&self) -> bool {
        self.held.leases().get(self.id).is_some_and(|lease| lease.is_first)
    }

    /// Remembers that the item was announced.
    pub fn announced(&self, at: Timestamp) {
        if let Some(lease) = self.held.leases().get_mut(self.id) {
            lease.hold = Hold::Announced(at);
        }
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let mut leases = self.held.leases();
        if leases.get(self.id).is_some_and(|lease| lease.hold == Hold::InHand) {
            leases.remove(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_announced_item_is_forgotten_once_its_lease_is_long_over() {
        let (held, now, lease) = (Held::default(), Timestamp::now(), Duration::from_secs(20));
        held.take("announced", now, lease, true).announced(now);
        let in_hand = held.take("in hand", now, lease, true);
        let margin = Duration::from_millis(1);
        advance(lease + MEMORY - margin).await;
        held.forget_old();
        assert_eq!(held.get("announced"), Some(Hold::Announced(now)));
        advance(2 * margin).await;
        held.forget_old();
        assert_eq!(held.get("announced"), None);
        assert_eq!(held.get("in hand"), Some(Hold::InHand));
        drop(in_hand);
        assert_eq!(held.get("in hand"), None);
    }
}
