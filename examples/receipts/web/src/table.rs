//! The receipts in DynamoDB. Each is its own outbox: the write that stores a receipt puts it there,
//! and the update that stores the scanner's first progress takes it out.

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    operation::{
        put_item::PutItemError,
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use pubsub::{trace, unavailable::call_failed};
use receipts::{Progress, Stored, Verdict};
use uuid::Uuid;

use crate::receipt::{Receipt, number, text};

/// How many parts the outbox has: DynamoDB limits writes to one of them to 1,000 a second.
pub const SHARDS: u32 = 4;
/// What holds until a receipt has its verdict.
const IS_OPEN: &str = "attribute_exists(id) AND attribute_not_exists(verdict)";
/// How many receipts the list has.
const LATEST: i32 = 20;

/// The part of the outbox that a receipt is in.
pub fn shard(id: Uuid) -> u32 {
    u32::from(id.as_bytes()[15]) % SHARDS
}

/// The table of receipts. A clone is cheap.
#[derive(Clone)]
pub struct Table {
    dynamodb: Client,
    name: String,
    keep: SignedDuration,
}

impl Table {
    pub fn new(aws: &SdkConfig, name: String, keep_days: u32) -> Self {
        let keep = SignedDuration::from_hours(24 * i64::from(keep_days));
        Self { dynamodb: Client::new(aws), name, keep }
    }

    /// Stores a receipt, unless there is one with its id. Returns the one that there is now.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. The receipt may have been stored even so.
    pub async fn store(&self, stored: &Stored) -> anyhow::Result<Receipt> {
        let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond())?;
        let traceparent = trace::current();
        let mut put = self
            .dynamodb
            .put_item()
            .table_name(&self.name)
            .item("id", text(stored.id))
            .item("list", text("receipts"))
            .item("stored_at", number(now.as_millisecond()))
            .item("stored", text(serde_json::to_string(stored)?))
            .item("version", number(1))
            .item("expires_at", number((now + self.keep).as_second()))
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        for (name, value) in outbox::attributes(shard(stored.id), now) {
            put = put.item(name, value);
        }
        if let Some(traceparent) = &traceparent {
            put = put.item("traceparent", text(traceparent));
        }
        let error = match put.send().await {
            Ok(_) => {
                let stored = stored.clone();
                let (progress, verdict) = (None, None);
                return Ok(Receipt {
                    stored,
                    stored_at: now,
                    traceparent,
                    progress,
                    verdict,
                    version: 1,
                });
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(taken)) => {
                Receipt::read(taken.item().context("DynamoDB did not return the item")?)
            }
            _ => Err(call_failed(error)).context("storing a receipt"),
        }
    }

    /// The receipt `id`, if there is one.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable, or the item is not a receipt.
    pub async fn get(&self, id: Uuid) -> anyhow::Result<Option<Receipt>> {
        let get = self.dynamodb.get_item().table_name(&self.name).key("id", text(id));
        let found = get.consistent_read(true).send().await.map_err(call_failed);
        found.context("reading a receipt")?.item.as_ref().map(Receipt::read).transpose()
    }

    /// The latest receipts, newest first.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable.
    pub async fn latest(&self) -> anyhow::Result<Vec<Receipt>> {
        let query = self.dynamodb.query().table_name(&self.name).index_name("latest");
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
        changed(update).await.context("storing progress")
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
        changed(update).await.context("cancelling a receipt")
    }

    /// A change, which also takes the receipt out of the outbox.
    fn update(&self, id: Uuid, set: &str) -> UpdateItemFluentBuilder {
        let update = self.dynamodb.update_item().table_name(&self.name).key("id", text(id));
        update
            .update_expression(format!("{set} ADD version :one REMOVE {}", outbox::REMOVE))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew)
    }
}

async fn changed(update: UpdateItemFluentBuilder) -> anyhow::Result<Option<Receipt>> {
    match update.send().await {
        Ok(output) => {
            let item = output.attributes.context("DynamoDB did not return the item")?;
            Receipt::read(&item).map(Some)
        }
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
            _ => Err(call_failed(error)),
        },
    }
}
