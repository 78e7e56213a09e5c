//! The orders in DynamoDB. Each order is its own outbox.
//!
//! One write stores an order and puts it into the outbox, a sparse index of this table. The update
//! that projects its first report takes it out again. So an order is stored if and only if it will
//! be announced, until a worker has it, without a transaction or a second table.

use std::sync::Arc;

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
use jiff::Timestamp;
use orders::{
    keep::{EXPIRES_AT, Keep},
    order::{Order, OrderId},
};
use outbox::Item;
use pubsub::{trace, unavailable::call_failed};

mod item;

mod latest;

mod project;

mod pay;

#[cfg(test)]
mod tests;

pub use item::PlacedOrder;
use item::{number, text};

/// How many partitions an index is spread over: DynamoDB limits writes to one of them to 1,000 a
/// second. It may be raised at any time. If it is lowered, orders in the removed shards are neither
/// swept nor listed.
pub const SHARDS: u32 = 4;

/// The table of orders. A clone is cheap and shares the connections.
#[derive(Clone)]
pub struct OrdersTable {
    dynamodb: Client,
    name: String,
    done_when: Arc<[String]>,
    keep: Keep,
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

impl PlacedOrder {
    /// Whether one call wrote both: a trace and a millisecond belong to one request.
    fn is_written_as(&self, other: &Self) -> bool {
        (&self.order, self.placed_at, &self.traceparent)
            == (&other.order, other.placed_at, &other.traceparent)
    }
}

impl OrdersTable {
    /// The table called `name`; an order is done when the services `done_when` are, and is kept for
    /// `keep` after that.
    pub fn new(aws: &SdkConfig, name: String, done_when: Arc<[String]>, keep: Keep) -> Self {
        Self { dynamodb: Client::new(aws), name, done_when, keep }
    }

    /// The order in an item.
    ///
    /// # Errors
    ///
    /// If the item is not an order.
    pub fn read(&self, item: &Item) -> anyhow::Result<PlacedOrder> {
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
            sent_at: now,
            in_outbox: true,
            reports: Vec::new(),
            payments: Vec::new(),
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
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        for (name, value) in outbox::attributes(order.id.shard(SHARDS), now) {
            put = put.item(name, value);
        }
        if let Some(expires_at) = self.keep.expires_at().filter(|_| self.done_when.is_empty()) {
            put = put.item(EXPIRES_AT, number(expires_at));
        }
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

    fn update(&self, id: OrderId) -> UpdateItemFluentBuilder {
        self.dynamodb.update_item().table_name(&self.name).key("id", text(id))
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
