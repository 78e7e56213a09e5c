//! What a habit draws, from the seed of all habits and its own name.

use std::{
    ops::RangeInclusive,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus, seq::SliceRandom as _};
use uuid::Uuid;

/// A stream of random numbers.
#[derive(Debug)]
pub struct Chance(Mutex<Xoshiro256PlusPlus>);

impl Chance {
    /// The stream of the habit called `name`. The same seed gives the same stream.
    pub fn new(seed: u64, name: &str) -> Self {
        // A version 5 UUID is a hash (SHA-1), so it is the same on every machine.
        let namespace = Uuid::from_u128(u128::from(seed));
        let (high, low) = Uuid::new_v5(&namespace, name.as_bytes()).as_u64_pair();
        Self(Mutex::new(Xoshiro256PlusPlus::seed_from_u64(high ^ low)))
    }

    /// True in `percent` of 100 draws.
    pub fn of(&self, percent: u8) -> bool {
        self.stream().random_range(0..100) < percent
    }

    /// A number of the range, each with the same probability.
    pub fn number(&self, range: RangeInclusive<u64>) -> u64 {
        self.stream().random_range(range)
    }

    /// Puts items into any order.
    pub fn shuffle<T>(&self, items: &mut [T]) {
        items.shuffle(&mut *self.stream());
    }

    /// Drawing cannot panic, so the stream behind a poisoned lock is right.
    fn stream(&self) -> MutexGuard<'_, Xoshiro256PlusPlus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
