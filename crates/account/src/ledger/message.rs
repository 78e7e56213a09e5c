//! A message of a queue, and what has happened to it.

use std::{sync::Arc, time::SystemTime};

/// The most moments that are kept of a message; the first ones are.
const MAX_MOMENTS: usize = 64;

/// A message, as a queue has it or had it.
#[derive(Clone, Debug)]
pub struct Message {
    /// The id that SQS gave it.
    pub id: String,
    /// The text.
    pub body: Arc<str>,
    /// How often it was received from this queue.
    pub receives: u32,
    /// From when on it can be received.
    pub visible_at: SystemTime,
    /// What happened, the first first.
    pub moments: Vec<(SystemTime, Moment)>,
    /// The receipts of its receives.
    pub(super) receipts: Vec<String>,
    /// Whether it was received, and is hidden because of that.
    pub(super) is_received: bool,
}

/// Something that happens to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It was put into the queue.
    Sent,
    /// It was received.
    Received,
    /// It was given back, to be received again after this many seconds.
    Released(u64),
    /// Its lease was renewed by this many seconds.
    Renewed(u64),
    /// It was deleted, so it was handled.
    Deleted,
    /// It was moved to its dead-letter queue.
    GivenUp,
    /// The queue was purged.
    Purged,
}

impl Message {
    pub(super) fn new(id: &str, body: &str, at: SystemTime, visible_at: SystemTime) -> Self {
        Self {
            id: id.to_owned(),
            body: body.into(),
            receives: 0,
            visible_at,
            moments: vec![(at, Moment::Sent)],
            receipts: Vec::new(),
            is_received: false,
        }
    }

    /// When it was put into the queue.
    pub fn sent(&self) -> SystemTime {
        self.moments.first().map_or(SystemTime::UNIX_EPOCH, |(at, _)| *at)
    }

    /// When it left the queue, if it has.
    pub fn left(&self) -> Option<SystemTime> {
        let (at, last) = self.moments.last()?;
        matches!(last, Moment::Deleted | Moment::GivenUp | Moment::Purged).then_some(*at)
    }

    /// Whether somebody has received it and works on it.
    pub fn is_in_flight(&self, now: SystemTime) -> bool {
        self.is_received && self.visible_at > now
    }

    pub(super) fn add(&mut self, at: SystemTime, moment: Moment) {
        if self.moments.len() == MAX_MOMENTS {
            self.moments.pop();
        }
        self.moments.push((at, moment));
    }
}
