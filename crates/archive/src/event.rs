//! An event, and its id.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use anyhow::{Context as _, ensure};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use pubsub::{notification::Notification, subscribe::Envelope};
use serde_json::Value;

/// How many partitions a day is spread over. A partition takes some 500 events a second. If it is
/// changed, the events of before are not found by their ids any more.
pub const SHARDS: u32 = 64;
/// The digits of a time in milliseconds since 1970.
const DIGITS: usize = 13;

/// The id of an event: the time at which SNS took it, in milliseconds, and the id that SNS gave it.
///
/// It sorts by time, and says where the event is stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId(String);

/// A message that SNS sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// The order that it is about.
    pub order: Option<String>,
    /// Its message group.
    pub group: Option<String>,
    /// The JSON text that SNS delivered.
    pub envelope: Arc<str>,
}

impl Event {
    /// The event in a message that was received.
    ///
    /// # Errors
    ///
    /// If the envelope does not say when SNS took it.
    pub fn new(Envelope(envelope): Envelope, received: &Notification) -> anyhow::Result<Self> {
        let at = received.published_at.context("its envelope has no time")?;
        let at = Timestamp::try_from(at).context("the time of its envelope")?;
        Ok(Self {
            id: EventId::new(at, &received.message_id)?,
            order: order(received),
            group: received.group.clone(),
            envelope,
        })
    }

    /// The message, as a subscriber reads it.
    pub fn notification(&self) -> Notification {
        Notification::read(self.envelope.to_string(), "", BTreeMap::new(), 1)
    }
}

/// Where a message has the id of its order; the last is that of webhooks.
const ORDER_IDS: [&str; 3] = ["/order_id", "/id", "/data/order_id"];

/// The order that a message is about, if it is a JSON object. The Python original sends no id, so
/// that of SNS is the order's.
fn order(message: &Notification) -> Option<String> {
    let body: Value = serde_json::from_str(&message.message).ok()?;
    body.as_object()?;
    let named = ORDER_IDS.iter().find_map(|place| body.pointer(place)?.as_str());
    let id = named.unwrap_or(&message.message_id);
    // Keys of DynamoDB are not empty, and an order's id is short.
    (!id.is_empty() && id.len() <= 100).then(|| id.to_owned())
}

impl EventId {
    fn new(at: Timestamp, message_id: &str) -> anyhow::Result<Self> {
        format!("{:0DIGITS$}-{message_id}", at.as_millisecond()).parse()
    }

    /// When SNS took the event.
    pub fn at(&self) -> Timestamp {
        let millis = self.0[..DIGITS].parse().unwrap_or_default();
        Timestamp::from_millisecond(millis).unwrap_or_default()
    }

    /// The partition of the table in which the event is stored.
    pub(crate) fn partition(&self) -> String {
        // FNV-1a, whose upper bits depend on every bit of the id.
        let hash = self.0.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let shard = (u64::from(hash) * u64::from(SHARDS)) >> 32;
        partition(day(self.at()), shard)
    }
}

/// The key of a partition.
pub fn partition(day: Date, shard: impl fmt::Display) -> String {
    format!("{day}#{shard}")
}

/// The day of a time, in UTC.
pub fn day(at: Timestamp) -> Date {
    at.to_zoned_datetime(TimeZone::UTC).date()
}

/// What ids of this time begin with.
pub fn prefix(at: Timestamp) -> String {
    format!("{:0DIGITS$}", at.as_millisecond().max(0))
}

impl FromStr for EventId {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts = text.split_once('-').filter(|(time, id)| {
            time.len() == DIGITS && time.bytes().all(|it| it.is_ascii_digit()) && !id.is_empty()
        });
        ensure!(parts.is_some(), "{text:?} is not the id of an event, as `events list` prints it");
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
