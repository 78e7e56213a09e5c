//! The table: writes of single events, and reads by order and by id.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    operation::{put_item::PutItemError, query::QueryError},
    types::AttributeValue,
};
use futures_util::future::try_join_all;
use pubsub::unavailable::call_failed;

use crate::event::{Event, EventId};

/// The index of the keys of the events that are about an order.
pub const INDEX: &str = "order";
/// The key of the table.
pub const PARTITION: &str = "day_shard";
/// As above; the events of a partition are sorted by it.
pub const ID: &str = "event_id";
/// The attribute by which DynamoDB expires items.
const EXPIRES_AT: &str = "expires_at";
/// The most events of an order that are read.
const MAX_OF_ORDER: i32 = 100;

pub type Item = HashMap<String, AttributeValue>;

/// A table of events. A clone is cheap and shares the connections.
#[derive(Clone, Debug)]
pub struct Archive {
    pub(crate) dynamodb: Client,
    pub(crate) table: String,
}

impl Archive {
    /// The table called `table`.
    pub fn new(aws: &SdkConfig, table: String) -> Self {
        Self { dynamodb: Client::new(aws), table }
    }

    /// Keeps an event, until `expires_at` if that is given, in seconds since 1970. False if it is
    /// there already: then nothing changes.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable, or the item is too large. It may have been kept even so.
    pub async fn keep(&self, event: &Event, expires_at: Option<String>) -> anyhow::Result<bool> {
        let mut put = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .set_item(Some(key(&event.id)))
            .item("envelope", text(&*event.envelope))
            .condition_expression(format!("attribute_not_exists({ID})"));
        for (name, value) in [("order_id", &event.order), ("message_group", &event.group)] {
            if let Some(value) = value {
                put = put.item(name, text(value));
            }
        }
        if let Some(expires_at) = expires_at {
            put = put.item(EXPIRES_AT, AttributeValue::N(expires_at));
        }
        match Box::pin(put.send()).await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(call_failed(error)).context("keeping an event"),
            },
        }
    }

    /// The event `id`, if it is there.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable, or the item is not an event.
    pub async fn get(&self, id: &EventId) -> anyhow::Result<Option<Event>> {
        let get = self.dynamodb.get_item().table_name(&self.table).set_key(Some(key(id)));
        let found = get.send().await.map_err(call_failed).context("reading an event")?;
        found.item.as_ref().map(read).transpose()
    }

    /// The first hundred events about an order, the oldest first; `None` if there is no such table.
    /// The index is up to a second behind.
    ///
    /// # Errors
    ///
    /// As [`Archive::get`].
    pub async fn of_order(&self, order: &str) -> anyhow::Result<Option<Vec<Event>>> {
        let query = self
            .dynamodb
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("order_id = :order")
            .expression_attribute_values(":order", text(order))
            .limit(MAX_OF_ORDER);
        let found = match query.send().await {
            Ok(found) => found,
            Err(error) => match error.as_service_error() {
                Some(QueryError::ResourceNotFoundException(_)) => return Ok(None),
                _ => return Err(call_failed(error)).context("listing the events of an order"),
            },
        };
        let ids = found.items().iter().map(id).collect::<anyhow::Result<Vec<_>>>()?;
        // One that has expired since then is left out.
        let events = try_join_all(ids.iter().map(|id| self.get(id))).await?;
        Ok(Some(events.into_iter().flatten().collect()))
    }
}

/// The event in an item.
pub fn read(item: &Item) -> anyhow::Result<Event> {
    let optional = |name: &str| item.get(name)?.as_s().ok().cloned();
    Ok(Event {
        id: id(item)?,
        order: optional("order_id"),
        group: optional("message_group"),
        envelope: optional("envelope").context("a stored event has no envelope")?.into(),
    })
}

fn id(item: &Item) -> anyhow::Result<EventId> {
    let id = item.get(ID).and_then(|it| it.as_s().ok()).context("a stored event has no id")?;
    id.parse()
}

fn key(id: &EventId) -> Item {
    let key = [(PARTITION, text(id.partition())), (ID, text(id))];
    key.map(|(name, value)| (name.to_owned(), value)).into()
}

pub fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}
