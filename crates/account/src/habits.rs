//! Habits of AWS that services in memory do not have.
//!
//! A queue on AWS brings fewer messages than there are, brings some twice and late, and counts
//! approximately. A batch fails in part, an index is behind its table, and a partition takes only a
//! number of writes. Each habit names the page of AWS that it is from, and docs/debugging.md links
//! them.
//!
//! They apply to the calls of services alone: the administrator, such as a test or an audit, sees
//! everything as it is. FIFO queues and topics lose neither their order nor their deduplication.
//! They are drawn from a seed, in the order of the calls. What AWS may take a minute for takes up
//! to a second here, so that tests need not wait.

mod chance;

pub mod schemas;

pub mod receives;

pub mod copies;

pub mod deliveries;

pub mod batches;

pub mod unprocessed;

pub mod late_index;

pub mod partitions;

pub mod counts;

#[cfg(test)]
mod tests;

use batches::Batches;
use copies::Copies;
use counts::Counts;
use deliveries::Deliveries;
use late_index::LateIndex;
use partitions::{Partitions, WRITES_PER_SECOND};
use receives::Receives;
use schemas::Schemas;
use unprocessed::Unprocessed;

/// The habits of an endpoint.
#[derive(Debug)]
pub struct Habits {
    /// What a receive brings.
    pub receives: Receives,
    /// The copies that deletes leave.
    pub copies: Copies,
    /// The deliveries of SNS.
    pub deliveries: Deliveries,
    /// The entries of batches that fail.
    pub batches: Batches,
    /// The keys that `BatchGetItem` leaves.
    pub unprocessed: Unprocessed,
    /// The tables that have indexes.
    pub schemas: Schemas,
    /// The indexes, as they were a while ago.
    pub late_index: LateIndex,
    /// The writes that each partition still takes.
    pub partitions: Partitions,
    /// The numbers of messages.
    pub counts: Counts,
}

impl Habits {
    /// Draws all of them from a seed, for tables in `region`.
    ///
    /// # Errors
    ///
    /// If a database in memory cannot be created.
    pub fn new(seed: u64, region: &str) -> anyhow::Result<Self> {
        Ok(Self {
            receives: Receives::new(seed),
            copies: Copies::new(seed),
            deliveries: Deliveries::new(seed),
            batches: Batches::new(seed),
            unprocessed: Unprocessed::new(seed),
            schemas: Schemas::default(),
            late_index: LateIndex::new(seed, region)?,
            partitions: Partitions::of(WRITES_PER_SECOND),
            counts: Counts::new(seed),
        })
    }
}
