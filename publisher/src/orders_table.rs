//! The orders in DynamoDB. Each order is its own outbox.
//!
//! One write stores an order and puts it into the outbox, a sparse index of this table. The update
//! that projects its first report takes it out again. So an order is stored if and only if it will
//! be announced, until a worker has it, without a transaction or a second table.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use jiff::Timestamp;
use orders::{
    keep::{EXPIRES_AT, Keep},
    order::{Order, OrderId},
};
use outbox::{
    Item, Items, Key,
    items::{changed, number, text},
    shards::Shards,
};
use pubsub::trace;

mod item;

mod latest;

mod project;

mod pay;

#[cfg(test)]
mod tests;

pub use item::PlacedOrder;

/// The table of orders. A clone is cheap and shares the connections.
#[derive(Clone)]
pub struct OrdersTable {
    items: Items,
    shards: Shards,
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
    /// The table called `name`, with new orders in its first `shards` shards; an order is done when
    /// the services `done_when` are, and is kept for `keep` after that.
    pub fn new(
        aws: &SdkConfig,
        name: String,
        shards: u32,
        done_when: Arc<[String]>,
        keep: Keep,
    ) -> Self {
        let items = Items::new(aws, name);
        Self { shards: Shards::of(items.clone(), shards), items, done_when, keep }
    }

    /// The shards of its two indexes: DynamoDB limits writes to one of them to 1,000 a second.
    pub fn shards(&self) -> &Shards {
        &self.shards
    }

    /// The shard of an order that this process stores.
    pub fn shard(&self, id: OrderId) -> u32 {
        id.shard(self.shards.own())
    }

    /// The order in an item.
    ///
    /// # Errors
    ///
    /// If the item is not an order.
    pub fn read(&self, item: &Item) -> anyhow::Result<PlacedOrder> {
        item::read(item, &self.done_when)
    }

    /// Stores an order and, with the same write, puts it into the outbox, with this lease.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. The order may have been stored even so; storing it again says
    /// which.
    pub async fn store(&self, order: &Order, lease: Duration) -> anyhow::Result<Stored> {
        let now = now();
        let placed = PlacedOrder {
            order: order.clone(),
            placed_at: now,
            traceparent: trace::current(),
            announced_at: None,
            sent_at: now,
            due_at: Some(now + lease),
            reports: Vec::new(),
            payments: Vec::new(),
            version: 1,
            done_when: Arc::clone(&self.done_when),
        };
        let placed_at = now.as_millisecond();
        let expires_at = self.keep.expires_at().filter(|_| self.done_when.is_empty());
        let expires_at = expires_at.map(|at| (EXPIRES_AT, number(at)));
        let traceparent = placed.traceparent.as_ref().map(|it| ("traceparent", text(it)));
        let shard = self.shard(order.id);
        let item = [
            ("customer", text(&order.customer)),
            ("amount", number(order.amount)),
            ("placed_at", number(placed_at)),
            ("version", number(placed.version)),
            ("shard", text(shard)),
            ("placed", text(format!("{placed_at:013}-{}", order.id))),
        ]
        .into_iter();
        let item = item.chain(expires_at).chain(traceparent);
        let key = Key { id: order.id.to_string(), shard, stored_at: now, due_at: now + lease };
        self.shards.remember().await.context("storing an order")?;
        let Some(item) = self.items.store(&key, item).await.context("storing an order")? else {
            return Ok(Stored::New(placed));
        };
        let stored = self.read(&item)?;
        Ok(if stored.is_written_as(&placed) {
            // The answer to the first try of this very call was lost.
            Stored::New(placed)
        } else if stored.order == *order {
            Stored::Again(stored)
        } else {
            Stored::Taken
        })
    }

    /// The order `id`, if there is one.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable, or the item is not an order.
    pub async fn get(&self, id: OrderId) -> anyhow::Result<Option<PlacedOrder>> {
        let found = self.items.get(id).await.context("reading an order")?;
        found.map(|item| self.read(&item)).transpose()
    }

    /// Makes a change, and returns the order after it; `None` if its condition does not hold.
    async fn changed(
        &self,
        update: UpdateItemFluentBuilder,
    ) -> anyhow::Result<Option<PlacedOrder>> {
        changed(update).await?.map(|item| self.read(&item)).transpose()
    }
}

/// Now, to the millisecond, as it is stored.
fn now() -> Timestamp {
    let now = Timestamp::now().as_millisecond();
    Timestamp::from_millisecond(now).expect("now is a time")
}
