//! The orders in DynamoDB. Each order is its own outbox.
//!
//! One write stores an order together with the note that it is to be announced: the attributes
//! `outbox` and `outbox_due`, which are the keys of a sparse index. Announcing it removes them. So
//! an order is stored if and only if it will be announced, without a transaction or a second table.

use std::{collections::HashMap, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{
        put_item::PutItemError,
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use pubsub::{
    order::{Order, OrderId},
    status::Report,
    trace,
};

mod item;

mod latest;

pub use item::PlacedOrder;
use item::{Item, after, now, number, parsed, text, time};

/// The sparse index of what is not announced.
const OUTBOX_INDEX: &str = "outbox";
/// How many partitions an index is spread over: DynamoDB limits writes to a single one to 1,000
/// a second. It may be raised at any time. Once lowered, what is in the shards that are gone is
/// neither swept nor listed.
pub const SHARDS: u32 = 4;
/// How long a new order has for its way through the fast path before the sweep looks at it.
const FIRST_DUE: Duration = Duration::from_secs(5);
/// How many orders the sweep takes from a shard at once.
pub const SWEEP_LIMIT: usize = 100;

/// The table of orders. A clone is cheap and shares the connections.
#[derive(Clone)]
pub struct OrdersTable {
    dynamodb: Client,
    name: String,
}

/// What storing an order came to.
#[derive(Debug)]
pub enum Stored {
    /// It is stored now.
    New(PlacedOrder),
    /// It had been stored before: the same request came again.
    Again(PlacedOrder),
    /// Another order has its id.
    Taken,
}

/// An order that should have been announced by now.
#[derive(Debug)]
pub struct Overdue {
    /// The order. One that cannot be read holds up no other.
    pub placed: anyhow::Result<PlacedOrder>,
    /// Its id, as it is stored.
    pub id: String,
    /// The value of `outbox_due` that was seen: whoever changes it first has the claim.
    due: u64,
}

impl Overdue {
    /// For how long it has waited to be announced; zero if that cannot be read.
    pub fn age(&self) -> Duration {
        self.placed.as_ref().map_or(Duration::ZERO, PlacedOrder::age)
    }
}

impl PlacedOrder {
    fn age(&self) -> Duration {
        let placed_at = self.placed_at.to_millis().ok().and_then(|at| at.try_into().ok());
        Duration::from_millis(now().saturating_sub(placed_at.unwrap_or(u64::MAX)))
    }

    /// Whether it is so old that, unless it is announced, the sweep looks at it.
    pub fn is_overdue(&self) -> bool {
        self.age() >= FIRST_DUE
    }
}

impl OrdersTable {
    /// The table called `name`.
    pub fn new(aws: &SdkConfig, name: String) -> Self {
        Self { dynamodb: Client::new(aws), name }
    }

    /// Stores an order and, with the same write, that it is to be announced.
    ///
    /// # Errors
    ///
    /// If DynamoDB is out of reach. Whether the order was stored is then open, and storing it again
    /// settles it.
    pub async fn store(&self, order: &Order) -> anyhow::Result<Stored> {
        let now = now();
        let placed = PlacedOrder {
            order: order.clone(),
            placed_at: time(now),
            traceparent: trace::current(),
            announced_at: None,
            reports: Vec::new(),
            version: 1,
        };
        let mut put = self
            .dynamodb
            .put_item()
            .table_name(&self.name)
            .item("id", text(order.id))
            .item("customer", text(&order.customer))
            .item("amount", number(order.amount))
            .item("placed_at", number(now))
            .item("version", number(placed.version))
            .item("shard", text(order.id.shard(SHARDS)))
            .item("placed", text(format!("{now:013}-{}", order.id)))
            .item("outbox", text(order.id.shard(SHARDS)))
            .item("outbox_due", number(after(now, FIRST_DUE)))
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(traceparent) = &placed.traceparent {
            put = put.item("traceparent", text(traceparent));
        }
        match put.send().await.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(Stored::New(placed)),
            Err(PutItemError::ConditionalCheckFailedException(taken)) => {
                let item = taken.item().context("DynamoDB did not show the item that is there");
                let placed = item::read(item?)?;
                Ok(if placed.order == *order { Stored::Again(placed) } else { Stored::Taken })
            }
            Err(error) => Err(error).context("storing an order"),
        }
    }

    /// The order `id`, if there is one.
    ///
    /// # Errors
    ///
    /// If DynamoDB is out of reach, or the item is not an order.
    pub async fn get(&self, id: OrderId) -> anyhow::Result<Option<PlacedOrder>> {
        let get = self.dynamodb.get_item().table_name(&self.name).key("id", text(id));
        let found = get.consistent_read(true).send().await.map_err(SdkError::into_service_error);
        found.context("reading an order")?.item.as_ref().map(item::read).transpose()
    }

    /// Orders of a shard that should have been announced by now, the longest overdue first.
    ///
    /// # Errors
    ///
    /// If DynamoDB is out of reach.
    pub async fn overdue(&self, shard: u32) -> anyhow::Result<Vec<Overdue>> {
        let query = self
            .dynamodb
            .query()
            .table_name(&self.name)
            .index_name(OUTBOX_INDEX)
            .key_condition_expression("outbox = :shard AND outbox_due < :now")
            .expression_attribute_values(":shard", text(shard))
            .expression_attribute_values(":now", number(now()))
            .limit(SWEEP_LIMIT as i32)
            .send();
        let found =
            query.await.map_err(SdkError::into_service_error).context("reading the outbox")?;
        let overdue = |item: &Item| {
            let (id, due) = (parsed(item, "id")?, parsed(item, "outbox_due")?);
            anyhow::Ok(Overdue { placed: item::read(item), id, due })
        };
        found.items().iter().map(overdue).collect()
    }

    /// Claims an overdue order for `lease`, so that no other publisher announces it meanwhile.
    ///
    /// False if somebody else was faster, or it was announced.
    ///
    /// # Errors
    ///
    /// If DynamoDB is out of reach. The claim may stand all the same, and runs out by itself.
    pub async fn claim(&self, overdue: &Overdue, lease: Duration) -> anyhow::Result<bool> {
        let update = self
            .dynamodb
            .update_item()
            .table_name(&self.name)
            .key("id", text(&overdue.id))
            .update_expression("SET outbox_due = :until")
            .condition_expression("outbox_due = :seen")
            .expression_attribute_values(":until", number(after(now(), lease)))
            .expression_attribute_values(":seen", number(overdue.due))
            .send();
        match update.await.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(true),
            Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
            Err(error) => Err(error).context("claiming an order of the outbox"),
        }
    }

    /// Takes an order out of the outbox, because it was announced, and returns it as it is now:
    /// `None` if another publisher had announced it as well.
    ///
    /// # Errors
    ///
    /// If DynamoDB is out of reach. The order is then announced again, which does no harm.
    pub async fn announced(&self, id: OrderId) -> anyhow::Result<Option<PlacedOrder>> {
        let update = self
            .dynamodb
            .update_item()
            .table_name(&self.name)
            .key("id", text(id))
            .update_expression("REMOVE outbox, outbox_due SET announced_at = :now ADD version :one")
            .condition_expression("attribute_exists(outbox)")
            .expression_attribute_values(":now", number(now()))
            .expression_attribute_values(":one", number(1));
        changed(update).await.context("taking an order out of the outbox")
    }

    /// Projects what a worker told on the order it is about, and returns the order as it is now:
    /// `None` if nothing changed, because the report is known or there is no such order.
    ///
    /// Each attempt has an attribute of its own, and of two reports of an attempt the one with
    /// more steps stays: so neither the order in which reports arrive nor repetition matters.
    ///
    /// # Errors
    ///
    /// If DynamoDB is out of reach.
    pub async fn project(&self, report: &Report) -> anyhow::Result<Option<PlacedOrder>> {
        let name = item::report_name(report);
        let value = HashMap::from([
            ("steps".to_owned(), number(report.steps.len())),
            ("told".to_owned(), text(serde_json::to_string(report)?)),
        ]);
        let update = self
            .dynamodb
            .update_item()
            .table_name(&self.name)
            .key("id", text(report.order_id))
            .update_expression("SET #report = :report ADD version :one")
            .condition_expression(
                "attribute_exists(id) AND \
                 (attribute_not_exists(#report) OR #report.steps < :steps)",
            )
            .expression_attribute_names("#report", name)
            .expression_attribute_values(":report", AttributeValue::M(value))
            .expression_attribute_values(":steps", number(report.steps.len()))
            .expression_attribute_values(":one", number(1));
        changed(update).await.context("projecting what a worker told")
    }
}

/// Makes a change, and returns the order after it; `None` if its condition does not hold.
async fn changed(update: UpdateItemFluentBuilder) -> anyhow::Result<Option<PlacedOrder>> {
    let updated = update.return_values(ReturnValue::AllNew).send().await;
    match updated.map_err(SdkError::into_service_error) {
        Ok(output) => item::read(&output.attributes.context("the order is not shown")?).map(Some),
        Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
