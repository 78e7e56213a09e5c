//! The orders of the last minute, as this process knows them: what it read for the last viewer, and
//! what it changed itself since.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use orders::timeline::Station;
use tokio::time::Instant;

/// For how long an order is shown, and how many are.
const SHOWN: SignedDuration = SignedDuration::from_secs(60);
const SHOWN_ORDERS: usize = 60;
/// How long after the last look nobody looks any more: several times as long as pages wait.
const LOOKING: Duration = Duration::from_secs(10);

/// An order of the last minute.
#[derive(Clone, Debug)]
pub struct Moving {
    /// Its id.
    pub id: String,
    /// When it was accepted.
    pub placed_at: Timestamp,
    /// A number that grows with each change.
    pub version: u64,
    /// Its total.
    pub amount: String,
    /// Whether it was announced.
    pub announced: bool,
    /// Its stations.
    pub stations: Vec<Station>,
}

/// The latest orders, as long as somebody looks. A clone is cheap, and shares them.
#[derive(Clone, Default)]
pub struct Recent(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    looked_at: Option<Instant>,
    orders: BTreeMap<(Timestamp, String), Moving>,
}

impl Recent {
    fn known(&self) -> MutexGuard<'_, Known> {
        // Half a change is no harm: the next reading makes up for it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody looks. What was known is out of date if nobody did for a while.
    pub fn look(&self) {
        let mut known = self.known();
        if !known.is_watched() {
            known.orders.clear();
        }
        known.looked_at = Some(Instant::now());
    }

    /// An order that was changed by this process. `moving` is called only if somebody looks.
    pub fn changed(&self, moving: impl FnOnce() -> Moving) {
        if self.known().is_watched() {
            self.offer([moving()]);
        }
    }

    /// Takes what is newer than what is known.
    pub fn offer(&self, read: impl IntoIterator<Item = Moving>) {
        let mut known = self.known();
        for moving in read {
            let key = (moving.placed_at, moving.id.clone());
            if known.orders.get(&key).is_none_or(|known| known.version < moving.version) {
                known.orders.insert(key, moving);
            }
        }
        while known.orders.len() > SHOWN_ORDERS {
            known.orders.pop_first();
        }
    }

    /// The latest orders of the last minute, the oldest first.
    pub fn shown(&self) -> Vec<Moving> {
        let since = Timestamp::now() - SHOWN;
        let known = self.known();
        known.orders.values().filter(|moving| moving.placed_at >= since).cloned().collect()
    }
}

impl Known {
    fn is_watched(&self) -> bool {
        self.looked_at.is_some_and(|at| at.elapsed() < LOOKING)
    }
}
