//! The outbox's part of the items, and the calls that change it.

use std::{str::FromStr, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use jiff::Timestamp;
use pubsub::unavailable::call_failed;

use crate::items::{Item, Items, changed, number, text};

/// The sparse index of all items in the outbox.
pub const INDEX: &str = "outbox";
/// How many items one query returns.
pub const PAGE: usize = 100;
/// What an update removes to take an item out of the outbox.
pub const REMOVE: &str = "outbox, outbox_due, refused";

/// What the write that stores an item adds to it, so that it is in the outbox.
pub fn attributes(shard: u32, due_at: Timestamp) -> [(&'static str, AttributeValue); 2] {
    let due = due_at.as_millisecond();
    [("outbox", text(Part::Waiting.key(shard))), ("outbox_due", number(due))]
}

/// A part of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Not announced, as far as the table knows.
    Waiting,
    /// Announced, and not reported.
    Announced,
}

impl Part {
    fn key(self, shard: u32) -> String {
        match self {
            Self::Waiting => shard.to_string(),
            Self::Announced => format!("{shard} announced"),
        }
    }
}

/// An item in the outbox.
#[derive(Debug)]
pub struct Due {
    /// Its key.
    pub id: String,
    /// The whole item.
    pub item: Item,
    /// When it was announced last.
    pub announced_at: Option<Timestamp>,
    /// How often it was announced, as far as that was noted.
    pub announcements: u32,
    /// How often it was refused.
    pub refusals: u32,
    /// Its part of the index.
    pub shard: u32,
    /// The due time that was read: the first process to change it has the claim.
    due: String,
}

impl Due {
    pub fn read(item: Item, shard: u32) -> anyhow::Result<Self> {
        Ok(Self {
            id: parsed(&item, "id")?,
            announced_at: parsed(&item, "announced_at").ok().and_then(time),
            announcements: parsed(&item, "announcements").unwrap_or(0),
            refusals: parsed(&item, "refusals").unwrap_or(0),
            shard,
            due: parsed(&item, "outbox_due")?,
            item,
        })
    }

    /// When its lease is over, or it is looked at again.
    pub fn due_at(&self) -> Timestamp {
        due_at(&self.item).unwrap_or_default()
    }
}

/// When the lease of an item is over, or it is looked at again; `None` if it is not in the outbox.
pub fn due_at(item: &Item) -> Option<Timestamp> {
    let due: String = parsed(item, "outbox_due").ok()?;
    let millis = due.split('.').next().and_then(|millis| millis.parse().ok());
    Some(millis.and_then(time).unwrap_or_default())
}

/// The table of an outbox.
#[derive(Clone, Debug)]
pub struct Table {
    items: Items,
}

impl Table {
    pub fn new(aws: &SdkConfig, name: String) -> Self {
        Self { items: Items::new(aws, name) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.items.table
    }

    /// Whether nothing is in the outbox, due or not: one request for all shards.
    pub async fn is_empty(&self) -> anyhow::Result<bool> {
        let scan = self.items.dynamodb.scan().table_name(&self.items.table).index_name(INDEX);
        let found = scan.limit(1).send().await.map_err(call_failed);
        let found = found.context("looking into the outbox")?;
        // A page may be empty although another follows.
        Ok(found.items().is_empty() && found.last_evaluated_key().is_none())
    }

    /// Up to [`PAGE`] items of a part of the outbox that are due before a time, the longest overdue
    /// first.
    pub async fn due(&self, shard: u32, part: Part, before: Timestamp) -> anyhow::Result<Vec<Due>> {
        let query = self
            .items
            .dynamodb
            .query()
            .table_name(&self.items.table)
            .index_name(INDEX)
            .key_condition_expression("outbox = :part AND outbox_due < :before")
            .expression_attribute_values(":part", text(part.key(shard)))
            .expression_attribute_values(":before", number(before.as_millisecond()))
            .limit(PAGE as i32)
            .send();
        let found = query.await.map_err(call_failed).context("reading the outbox")?;
        let items = found.items.unwrap_or_default().into_iter();
        items.map(|item| Due::read(item, shard)).collect()
    }

    /// Claims an item for `lease`, so that no other process announces it in that time. One that was
    /// announced before waits again.
    ///
    /// False if another process was faster, or the item left the outbox.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. The claim may have been made even so; it expires by itself.
    pub async fn claim(&self, due: &Due, lease: Duration) -> anyhow::Result<bool> {
        // The random fraction tells this claim from others; it ends in a digit that DynamoDB keeps.
        let (fraction, last) = (rand::random_range(0..1_000_000), rand::random_range(1..=9));
        let until = format!("{}.{fraction:06}{last}", after(Timestamp::now(), lease));
        let update = self
            .items
            .update(&due.id)
            .update_expression("SET outbox = :waiting, outbox_due = :until")
            .condition_expression("outbox_due = :seen")
            .expression_attribute_values(":waiting", text(Part::Waiting.key(due.shard)))
            .expression_attribute_values(":until", number(&until))
            .expression_attribute_values(":seen", number(&due.due))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send();
        let error = match update.await {
            Ok(_) => return Ok(true),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(changed)) => {
                let due = changed.item().and_then(|item| parsed::<String>(item, "outbox_due").ok());
                // Equal if the answer to the first try of this very call was lost.
                Ok(due == Some(until))
            }
            _ => Err(call_failed(error)).context("claiming an item of the outbox"),
        }
    }

    /// Notes an announcement, the one with this number: the item is looked at again after `pause`
    /// if no report came by then. Returns the item as it is now; `None` if it left the outbox, or
    /// another process noted its own announcement.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. The item is announced again then, which is harmless.
    pub async fn note(
        &self,
        id: &str,
        shard: u32,
        at: Timestamp,
        announcements: u32,
        pause: Duration,
    ) -> anyhow::Result<Option<Item>> {
        let update = self
            .items
            .update(id)
            .update_expression(
                "SET outbox = :announced, outbox_due = :due, announced_at = :at, \
                 announcements = :count REMOVE refused ADD version :one",
            )
            .condition_expression("outbox = :waiting")
            .expression_attribute_values(":announced", text(Part::Announced.key(shard)))
            .expression_attribute_values(":waiting", text(Part::Waiting.key(shard)))
            .expression_attribute_values(":due", number(after(at, pause)))
            .expression_attribute_values(":at", number(at.as_millisecond()))
            .expression_attribute_values(":count", number(announcements))
            .expression_attribute_values(":one", number(1));
        changed(update).await.context("noting an announcement")
    }

    /// Takes an announced item out of the outbox, if no report is to be expected.
    ///
    /// # Errors
    ///
    /// As [`Table::note`].
    pub async fn take_out(&self, id: &str, at: Timestamp) -> anyhow::Result<Option<Item>> {
        let update = self
            .items
            .update(id)
            .update_expression(format!("REMOVE {REMOVE} SET announced_at = :at ADD version :one"))
            .condition_expression("attribute_exists(outbox)")
            .expression_attribute_values(":at", number(at.as_millisecond()))
            .expression_attribute_values(":one", number(1));
        changed(update).await.context("taking an item out of the outbox")
    }

    /// Sets aside an item that was refused, for `pause`.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. The item is retried when its lease is over.
    pub async fn set_aside(&self, id: &str, reason: &str, pause: Duration) -> anyhow::Result<()> {
        let update = self
            .items
            .update(id)
            .update_expression("SET outbox_due = :due, refused = :reason ADD refusals :one")
            .condition_expression("attribute_exists(outbox)")
            .expression_attribute_values(":due", number(after(Timestamp::now(), pause)))
            .expression_attribute_values(":reason", text(reason))
            .expression_attribute_values(":one", number(1));
        changed(update).await.context("setting an item aside").map(drop)
    }
}

/// A string or number of an item, parsed.
pub fn parsed<T: FromStr>(item: &Item, name: &str) -> anyhow::Result<T> {
    let value = item.get(name).and_then(|value| value.as_s().or(value.as_n()).ok());
    let parsed = value.and_then(|value| value.parse().ok());
    parsed.with_context(|| format!("{name} of the stored item cannot be read"))
}

/// A time in milliseconds since 1970, as it is stored.
fn time(millis: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis).ok()
}

/// A duration in milliseconds.
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn after(time: Timestamp, pause: Duration) -> i64 {
    time.as_millisecond().saturating_add(millis(pause))
}
