//! The events of the past, in a DynamoDB table: each is kept once, and found by time, by order or
//! by its id, without a scan.
//!
//! SNS archives FIFO topics only, so a subscriber without a filter policy stores what it receives.
//! The key of an item is `day#shard` and the [id](EventId) of the event, which begins with its
//! time. The shards spread a busy day: a partition of DynamoDB takes 1,000 units of writes a
//! second. The index `order` holds the keys of the events of each order.

mod event;

mod table;

mod reader;

#[cfg(test)]
mod tests;

pub use event::{Event, EventId, SHARDS};
pub use reader::{Order, Range, Reader};
pub use table::{Archive, INDEX};
