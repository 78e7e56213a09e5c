//! The receipts in DynamoDB. Each is its own outbox: the write that stores a receipt puts it there,
//! and the update that stores the scanner's first progress takes it out.

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use outbox::{
    Item, Items, Key,
    items::{changed, number, text},
};
use pubsub::{trace, unavailable::call_failed};
use receipts::{Progress, Stored, Verdict};
use uuid::Uuid;

use crate::receipt::Receipt;

/// How many parts the outbox has: DynamoDB limits writes to one of them to 1,000 a second.
pub const SHARDS: u32 = 4;
/// What holds until a receipt has its verdict.
const IS_OPEN: &str = "attribute_exists(id) AND attribute_not_exists(verdict)";
/// How many receipts the list has.
const LATEST: i32 = 20;

/// Where a receipt is in the outbox.
pub fn key(id: Uuid, stored_at: Timestamp) -> Key {
    let shard = u32::from(id.as_bytes()[15]) % SHARDS;
    Key::new(id, shard, stored_at)
}

/// The table of receipts. A clone is cheap.
#[derive(Clone)]
pub struct Table {
    items: Items,
    keep: SignedDuration,
}

impl Table {
    pub fn new(aws: &SdkConfig, name: String, keep_days: u32) -> Self {
        let keep = SignedDuration::from_hours(24 * i64::from(keep_days));
        Self { items: Items::new(aws, name), keep }
    }

    /// Stores a receipt, unless there is one with its id. Returns the one that there is now.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. The receipt may have been stored even so.
    pub async fn store(&self, stored: &Stored) -> anyhow::Result<Receipt> {
        let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond())?;
        let traceparent = trace::current();
        let item = [
            ("list", text("receipts")),
            ("stored_at", number(now.as_millisecond())),
            ("stored", text(serde_json::to_string(stored)?)),
            ("version", number(1)),
            ("expires_at", number((now + self.keep).as_second())),
        ];
        let item = item.into_iter().chain(traceparent.as_ref().map(|it| ("traceparent", text(it))));
        match self.items.store(&key(stored.id, now), item).await.context("storing a receipt")? {
            Some(present) => Receipt::read(&present),
            None => Ok(Receipt { traceparent, ..Receipt::new(stored.clone(), now) }),
        }
    }

    /// The receipt `id`, if there is one.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable, or the item is not a receipt.
    pub async fn get(&self, id: Uuid) -> anyhow::Result<Option<Receipt>> {
        let found = self.items.get(id).await.context("reading a receipt")?;
        receipt(found)
    }

    /// The latest receipts, newest first.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable.
    pub async fn latest(&self) -> anyhow::Result<Vec<Receipt>> {
        let query = self.items.dynamodb.query().table_name(&self.items.table);
        let query = query.index_name("latest");
        let query = query
            .key_condition_expression("#list = :list")
            .expression_attribute_names("#list", "list")
            .expression_attribute_values(":list", text("receipts"))
            .scan_index_forward(false)
            .limit(LATEST);
        let found = query.send().await.map_err(call_failed).context("listing the receipts")?;
        let ids = found.items().iter().filter_map(|item| item.get("id")?.as_s().ok()?.parse().ok());
        let found = try_join_all(ids.map(|id| self.get(id))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Stores the scanner's progress, and returns the receipt as it is now; `None` if nothing
    /// changed, because later progress or a verdict is there, or the receipt has expired.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable.
    pub async fn project(&self, progress: &Progress) -> anyhow::Result<Option<Receipt>> {
        let verdict = progress.verdict.as_ref().map(serde_json::to_string).transpose()?;
        // A verdict counts, also that of an attempt which another one followed.
        let (set, is_news) = match verdict {
            Some(_) => (", verdict = :verdict", ""),
            None => ("", " AND (attribute_not_exists(said) OR said < :said)"),
        };
        let mut update = self
            .update(progress.receipt_id, &format!("SET progress = :progress, said = :said{set}"))
            .condition_expression(format!("{IS_OPEN}{is_news}"))
            .expression_attribute_values(":progress", text(serde_json::to_string(progress)?))
            .expression_attribute_values(":said", number(progress.order()));
        if let Some(verdict) = verdict {
            update = update.expression_attribute_values(":verdict", text(verdict));
        }
        receipt(changed(update).await.context("storing progress")?)
    }

    /// Cancels a receipt that has no verdict yet, and returns it; `None` if it has one.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable.
    pub async fn cancel(&self, id: Uuid) -> anyhow::Result<Option<Receipt>> {
        let verdict = serde_json::to_string(&Verdict::Cancelled)?;
        let update = self
            .update(id, "SET verdict = :verdict")
            .condition_expression(IS_OPEN)
            .expression_attribute_values(":verdict", text(verdict));
        receipt(changed(update).await.context("cancelling a receipt")?)
    }

    /// A change, which also takes the receipt out of the outbox.
    fn update(&self, id: Uuid, set: &str) -> UpdateItemFluentBuilder {
        self.items
            .update(id)
            .update_expression(format!("{set} ADD version :one REMOVE {}", outbox::REMOVE))
            .expression_attribute_values(":one", number(1))
    }
}

fn receipt(item: Option<Item>) -> anyhow::Result<Option<Receipt>> {
    item.as_ref().map(Receipt::read).transpose()
}
