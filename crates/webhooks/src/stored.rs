//! The webhooks in DynamoDB. Each is its own outbox: the write that stores it also notes that it
//! has to be announced.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use jiff::Timestamp;
use orders::keep::{EXPIRES_AT, Keep};
use outbox::Item;
use pubsub::unavailable::call_failed;

/// How many partitions the outbox is spread over: one takes some 300 webhooks a second.
pub const SHARDS: u32 = 1;
const SHARD: u32 = 0;

/// A genuine webhook.
#[derive(Clone, PartialEq)]
pub struct Webhook {
    /// Who sent it.
    pub source: String,
    /// The sender's id of the event.
    pub id: String,
    /// The type of the event.
    pub event_type: String,
    /// The text, as it was signed.
    pub body: String,
    /// When it was received, to the millisecond.
    pub received_at: Timestamp,
    /// The trace of the request.
    pub traceparent: Option<String>,
}

/// The outcome of storing a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It was stored.
    New,
    /// It had been stored before.
    Again,
    /// Its id had been stored with another body.
    Changed,
}

/// The table of webhooks. A clone is cheap and shares the connections.
#[derive(Clone)]
pub struct Table {
    dynamodb: Client,
    name: String,
    keep: Keep,
}

impl Table {
    /// The table called `name`, which keeps webhooks for `keep`.
    pub fn new(aws: &SdkConfig, name: String, keep: Keep) -> Self {
        Self { dynamodb: Client::new(aws), name, keep }
    }

    /// Stores a webhook and, with the same write, puts it into the outbox; unless its source sent
    /// its id before.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. It may have been stored even so.
    pub async fn store(&self, webhook: &Webhook) -> anyhow::Result<Stored> {
        let mut item = webhook.item();
        item.extend(self.keep.expires_at().map(|at| (EXPIRES_AT.to_owned(), number(at))));
        let put = self
            .dynamodb
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match put.send().await {
            Ok(_) => return Ok(Stored::New),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(taken)) => {
                let stored = Webhook::read(taken.item().context("DynamoDB returned no item")?)?;
                Ok(if stored == *webhook {
                    // The answer to the first try of this very call was lost.
                    Stored::New
                } else if stored.body == webhook.body {
                    Stored::Again
                } else {
                    Stored::Changed
                })
            }
            _ => Err(call_failed(error)).context("storing a webhook"),
        }
    }
}

impl Webhook {
    /// The key of its item: two sources may have the same id.
    pub fn key(&self) -> String {
        format!("{}/{}", self.source, self.id)
    }

    /// Where it is in the outbox, and since when.
    pub fn place(&self) -> outbox::Key {
        outbox::Key { id: self.key(), shard: SHARD, stored_at: self.received_at }
    }

    fn item(&self) -> Item {
        let mut item = HashMap::from(
            [
                ("id", text(self.key())),
                ("source", text(&self.source)),
                ("webhook_id", text(&self.id)),
                ("type", text(&self.event_type)),
                ("body", text(&self.body)),
                ("received_at", number(self.received_at.as_millisecond())),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let outbox = outbox::attributes(SHARD, self.received_at).into_iter();
        item.extend(outbox.map(|(name, value)| (name.to_owned(), value)));
        item.extend(self.traceparent.iter().map(|it| ("traceparent".to_owned(), text(it))));
        item
    }

    /// The webhook in an item.
    ///
    /// # Errors
    ///
    /// If the item is none.
    pub fn read(item: &Item) -> anyhow::Result<Self> {
        let field = |name: &str| {
            let value = item.get(name).and_then(|value| value.as_s().or(value.as_n()).ok());
            value.cloned().with_context(|| format!("the stored webhook has no {name}"))
        };
        let received_at = field("received_at")?.parse().context("received_at")?;
        Ok(Self {
            source: field("source")?,
            id: field("webhook_id")?,
            event_type: field("type")?,
            body: field("body")?,
            received_at: Timestamp::from_millisecond(received_at)?,
            traceparent: field("traceparent").ok(),
        })
    }
}

fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
