//! A partition takes 1,000 writes a second.
//!
//! "Each partition on a DynamoDB table is designed to deliver a maximum capacity of […] 1,000 write
//! units per second", and so is each partition of an index:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>.
//! A table with a busy index takes no more writes either:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/gsi-throttling.html>.
//!
//! Here each partition key is a partition of its own, and a write is one unit whatever its size. A
//! test may let it take fewer, so that what happens at the limit shows at a rate that a laptop has.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// What a partition of AWS takes in a second, and at once after a pause.
pub const WRITES_PER_SECOND: u32 = 1_000;

/// The writes that each partition still takes.
#[derive(Debug)]
pub struct Partitions {
    per_second: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Partitions {
    /// Partitions that each take this many writes a second.
    pub fn of(per_second: u32) -> Self {
        Self { per_second: per_second.into(), buckets: Mutex::default() }
    }

    /// Whether all of these partitions take another write now.
    pub fn take_more(&self, partitions: &[String], now: Instant) -> bool {
        let mut buckets = self.buckets();
        partitions.iter().all(|it| self.bucket(&mut buckets, it, now).left >= 1.0)
    }

    /// Counts a write to each of these partitions.
    pub fn write(&self, partitions: &[String], now: Instant) {
        let mut buckets = self.buckets();
        for partition in partitions {
            self.bucket(&mut buckets, partition, now).left -= 1.0;
        }
    }

    /// Counting cannot panic, so the data behind a poisoned lock is right.
    fn buckets(&self) -> MutexGuard<'_, HashMap<String, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bucket of a partition, filled up until now.
    fn bucket<'a>(
        &self,
        buckets: &'a mut HashMap<String, Bucket>,
        partition: &str,
        now: Instant,
    ) -> &'a mut Bucket {
        let full = || Bucket { left: self.per_second, at: now };
        let bucket = buckets.entry(partition.to_owned()).or_insert_with(full);
        let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * self.per_second;
        bucket.left = (bucket.left + gained).min(self.per_second);
        bucket.at = now;
        bucket
    }
}
