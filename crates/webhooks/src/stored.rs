//! The webhooks in DynamoDB. Each is its own outbox: the write that stores it also notes that it
//! has to be announced.

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use orders::keep::{EXPIRES_AT, Keep};
use outbox::{
    Item, Items,
    items::{number, text},
};

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
    items: Items,
    keep: Keep,
}

impl Table {
    /// The table called `name`, which keeps webhooks for `keep`.
    pub fn new(aws: &SdkConfig, name: String, keep: Keep) -> Self {
        Self { items: Items::new(aws, name), keep }
    }

    /// Stores a webhook and, with the same write, puts it into the outbox; unless its source sent
    /// its id before.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. It may have been stored even so.
    pub async fn store(&self, webhook: &Webhook) -> anyhow::Result<Stored> {
        let expires_at = self.keep.expires_at().map(|at| (EXPIRES_AT, number(at)));
        let item = webhook.attributes().chain(expires_at);
        let present = self.items.store(&webhook.place(), item).await;
        let Some(present) = present.context("storing a webhook")? else { return Ok(Stored::New) };
        let stored = Webhook::read(&present)?;
        Ok(if stored == *webhook {
            // The answer to the first try of this very call was lost.
            Stored::New
        } else if stored.body == webhook.body {
            Stored::Again
        } else {
            Stored::Changed
        })
    }
}

impl Webhook {
    /// The key of its item: two sources may have the same id.
    pub fn key(&self) -> String {
        format!("{}/{}", self.source, self.id)
    }

    /// Where it is in the outbox, and since when.
    pub fn place(&self) -> outbox::Key {
        outbox::Key::new(self.key(), SHARD, self.received_at)
    }

    fn attributes(&self) -> impl Iterator<Item = (&'static str, AttributeValue)> {
        let attributes = [
            ("source", text(&self.source)),
            ("webhook_id", text(&self.id)),
            ("type", text(&self.event_type)),
            ("body", text(&self.body)),
            ("received_at", number(self.received_at.as_millisecond())),
        ];
        let traceparent = self.traceparent.as_ref().map(|it| ("traceparent", text(it)));
        attributes.into_iter().chain(traceparent)
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
