//! The orders in DynamoDB. Each order is its own outbox.
//!
//! One write stores an order and marks it as not announced, by the attributes `outbox` and
//! `outbox_due`, which are the keys of a sparse index. Announcing the order removes them. So an
//! order is stored if and only if it will be announced, without a transaction or a second table.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    operation::{
        put_item::PutItemError,
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use jiff::Timestamp;
use orders::{
    order::{Order, OrderId},
    report::Report,
};
use pubsub::{trace, unavailable::call_failed};

mod item;

mod latest;

#[cfg(test)]
mod tests;

pub use item::PlacedOrder;
use item::{Item, age, number, parsed, text};

/// The sparse index of the orders that are not announced.
const OUTBOX_INDEX: &str = "outbox";
/// How many partitions an index is spread over: DynamoDB limits writes to one of them to 1,000 a
/// second. It may be raised at any time. If it is lowered, orders in the removed shards are neither
/// swept nor listed.
pub const SHARDS: u32 = 4;
/// How long the fast path has to announce a new order before the sweep does.
const FIRST_DUE: Duration = Duration::from_secs(5);
/// What a stored report contains if its attempt is done.
const DONE: &str = r#""state":"done""#;
/// How many orders one sweep takes from a shard.
pub const SWEEP_LIMIT: usize = 100;

/// The table of orders. A clone is cheap and shares the connections.
#[derive(Clone)]
pub struct OrdersTable {
    dynamodb: Client,
    name: String,
    done_when: Arc<[String]>,
}

/// The outcome of storing an order.
#[derive(Debug)]
pub enum Stored {
    /// It was stored.
    New(PlacedOrder),
    /// It had been stored before: the request was repeated.
    Again(PlacedOrder),
    /// Another order has its id.
    Taken,
}

/// An order that should have been announced by now.
#[derive(Debug)]
pub struct Overdue {
    /// The order. One that cannot be read does not hold up the others.
    pub placed: anyhow::Result<PlacedOrder>,
    /// Its id, as it is stored.
    pub id: String,
    /// The value of `outbox_due` that was read: the first publisher to change it has the claim.
    due: String,
}

impl Overdue {
    /// For how long it has waited to be announced; zero if that cannot be read.
    pub fn age(&self) -> Duration {
        self.placed.as_ref().map_or(Duration::ZERO, PlacedOrder::age)
    }
}

impl PlacedOrder {
    fn age(&self) -> Duration {
        age(self.placed_at)
    }

    /// Whether one call wrote both: a trace and a millisecond belong to one request.
    fn is_written_as(&self, other: &Self) -> bool {
        (&self.order, self.placed_at, &self.traceparent)
            == (&other.order, other.placed_at, &other.traceparent)
    }

    /// Whether it is old enough for the sweep, unless it was announced.
    pub fn is_overdue(&self) -> bool {
        self.age() >= FIRST_DUE
    }
}

impl OrdersTable {
    /// The table called `name`; an order is done when the services `done_when` are.
    pub fn new(aws: &SdkConfig, name: String, done_when: Arc<[String]>) -> Self {
        Self { dynamodb: Client::new(aws), name, done_when }
    }

    fn read(&self, item: &Item) -> anyhow::Result<PlacedOrder> {
        item::read(item, &self.done_when)
    }

    /// Stores an order and, with the same write, puts it into the outbox.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. The order may have been stored even so; storing it again says
    /// which.
    pub async fn store(&self, order: &Order) -> anyhow::Result<Stored> {
        let now = now();
        let placed = PlacedOrder {
            order: order.clone(),
            placed_at: now,
            traceparent: trace::current(),
            announced_at: None,
            reports: Vec::new(),
            version: 1,
            done_when: Arc::clone(&self.done_when),
        };
        let placed_at = now.as_millisecond();
        let mut put = self
            .dynamodb
            .put_item()
            .table_name(&self.name)
            .item("id", text(order.id))
            .item("customer", text(&order.customer))
            .item("amount", number(order.amount))
            .item("placed_at", number(placed_at))
            .item("version", number(placed.version))
            .item("shard", text(order.id.shard(SHARDS)))
            .item("placed", text(format!("{placed_at:013}-{}", order.id)))
            .item("outbox", text(order.id.shard(SHARDS)))
            .item("outbox_due", number(millis_after(now, FIRST_DUE)))
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(traceparent) = &placed.traceparent {
            put = put.item("traceparent", text(traceparent));
        }
        let error = match put.send().await {
            Ok(_) => return Ok(Stored::New(placed)),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(taken)) => {
                let item = taken.item().context("DynamoDB did not return the item");
                let stored = self.read(item?)?;
                Ok(if stored.is_written_as(&placed) {
                    // The answer to the first try of this very call was lost.
                    Stored::New(placed)
                } else if stored.order == *order {
                    Stored::Again(stored)
                } else {
                    Stored::Taken
                })
            }
            _ => Err(call_failed(error)).context("storing an order"),
        }
    }

    /// The order `id`, if there is one.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable, or the item is not an order.
    pub async fn get(&self, id: OrderId) -> anyhow::Result<Option<PlacedOrder>> {
        let get = self.dynamodb.get_item().table_name(&self.name).key("id", text(id));
        let found = get.consistent_read(true).send().await.map_err(call_failed);
        found.context("reading an order")?.item.map(|item| self.read(&item)).transpose()
    }

    /// Orders of a shard that should have been announced by now, the longest overdue first.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable.
    pub async fn overdue(&self, shard: u32) -> anyhow::Result<Vec<Overdue>> {
        let query = self
            .dynamodb
            .query()
            .table_name(&self.name)
            .index_name(OUTBOX_INDEX)
            .key_condition_expression("outbox = :shard AND outbox_due < :now")
            .expression_attribute_values(":shard", text(shard))
            .expression_attribute_values(":now", number(now().as_millisecond()))
            .limit(SWEEP_LIMIT as i32)
            .send();
        let found = query.await.map_err(call_failed).context("reading the outbox")?;
        let overdue = |item: &Item| {
            let (id, due) = (parsed(item, "id")?, parsed(item, "outbox_due")?);
            anyhow::Ok(Overdue { placed: self.read(item), id, due })
        };
        found.items().iter().map(overdue).collect()
    }

    /// Claims an overdue order for `lease`, so that no other publisher announces it in that time.
    ///
    /// False if another publisher was faster, or the order was announced.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. The claim may have been made even so; it expires by itself.
    pub async fn claim(&self, overdue: &Overdue, lease: Duration) -> anyhow::Result<bool> {
        // The random fraction tells this claim from others; it ends in a digit that DynamoDB keeps.
        let (fraction, last) = (rand::random_range(0..1_000_000), rand::random_range(1..=9));
        let until = format!("{}.{fraction:06}{last}", millis_after(now(), lease));
        let update = self
            .dynamodb
            .update_item()
            .table_name(&self.name)
            .key("id", text(&overdue.id))
            .update_expression("SET outbox_due = :until")
            .condition_expression("outbox_due = :seen")
            .expression_attribute_values(":until", number(&until))
            .expression_attribute_values(":seen", number(&overdue.due))
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
            _ => Err(call_failed(error)).context("claiming an order of the outbox"),
        }
    }

    /// Removes an announced order from the outbox, and returns it as it is now; `None` if another
    /// publisher had announced it as well.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. The order is announced again then, which is harmless.
    pub async fn announced(&self, id: OrderId) -> anyhow::Result<Option<PlacedOrder>> {
        let update = self
            .dynamodb
            .update_item()
            .table_name(&self.name)
            .key("id", text(id))
            .update_expression("REMOVE outbox, outbox_due SET announced_at = :now ADD version :one")
            .condition_expression("attribute_exists(outbox)")
            .expression_attribute_values(":now", number(now().as_millisecond()))
            .expression_attribute_values(":one", number(1));
        self.changed(update).await.context("removing an order from the outbox")
    }

    /// Projects a report onto its order, and returns the order as it is now; `None` if nothing
    /// changed, because the report is a duplicate or the order is unknown.
    ///
    /// Each attempt has an attribute of its own, and of two reports of an attempt the one with more
    /// steps stays, unless the other says that the attempt is done. So reports may arrive in any
    /// order, and more than once.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable.
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
                 (attribute_not_exists(#report) OR \
                  (#report.steps < :steps AND NOT contains(#report.told, :done)))",
            )
            .expression_attribute_values(":done", text(DONE))
            .expression_attribute_names("#report", name)
            .expression_attribute_values(":report", AttributeValue::M(value))
            .expression_attribute_values(":steps", number(report.steps.len()))
            .expression_attribute_values(":one", number(1));
        self.changed(update).await.context("projecting a report")
    }

    /// Makes a change, and returns the order after it; `None` if its condition does not hold.
    async fn changed(
        &self,
        update: UpdateItemFluentBuilder,
    ) -> anyhow::Result<Option<PlacedOrder>> {
        match update.return_values(ReturnValue::AllNew).send().await {
            Ok(output) => {
                let item = output.attributes.context("DynamoDB did not return the item")?;
                self.read(&item).map(Some)
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(call_failed(error)),
            },
        }
    }
}

/// Now, to the millisecond, as it is stored.
fn now() -> Timestamp {
    let now = Timestamp::now().as_millisecond();
    Timestamp::from_millisecond(now).expect("now is a time")
}

/// A time in milliseconds since 1970, as it is stored.
fn millis_after(time: Timestamp, delay: Duration) -> i64 {
    let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    time.as_millisecond().saturating_add(delay)
}
