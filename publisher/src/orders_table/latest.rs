//! The orders by time, from an index that holds only keys, so that progress is not written twice.

use std::{cmp::Reverse, time::Duration};

use anyhow::Context as _;
use aws_sdk_dynamodb::{error::SdkError, types::KeysAndAttributes};
use futures_util::future::try_join_all;
use orders::order::OrderId;
use outbox::{Item, items::text};
use tokio::time::sleep;

use super::{OrdersTable, PlacedOrder, item::parsed};

/// The index of all orders by time.
const LATEST_INDEX: &str = "latest";
/// The longest pause before keys that DynamoDB left are requested again; it doubles each time.
const UNPROCESSED_PAUSE: Duration = Duration::from_millis(50);

/// Orders by time, the latest first.
#[derive(Debug)]
pub struct Page {
    /// The orders.
    pub orders: Vec<PlacedOrder>,
    /// The start of the next page, if there is one.
    pub next: Option<String>,
}

impl OrdersTable {
    /// The latest `limit` orders, or the latest before the start of a page.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable.
    pub async fn latest(&self, before: Option<&str>, limit: usize) -> anyhow::Result<Page> {
        let shards = self.shards.look().await.context("listing the orders")?;
        let shards = (0..shards).map(|shard| self.latest_of_shard(shard, before, limit));
        let mut keys: Vec<(String, OrderId)> =
            try_join_all(shards).await?.into_iter().flatten().collect();
        keys.sort_unstable_by(|one, other| other.cmp(one));
        let more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| more).map(|(placed, _)| placed.clone());
        let mut orders = self.get_all(keys.into_iter().map(|(_, id)| id)).await?;
        orders.sort_unstable_by_key(|it| Reverse((it.placed_at, it.order.id)));
        Ok(Page { orders, next })
    }

    async fn latest_of_shard(
        &self,
        shard: u32,
        before: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<Vec<(String, OrderId)>> {
        let query = self
            .items
            .dynamodb
            .query()
            .table_name(&self.items.table)
            .index_name(LATEST_INDEX)
            // `shard` is a reserved word of DynamoDB.
            .key_condition_expression("#shard = :shard AND placed < :before")
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":shard", text(shard))
            // Every key begins with a digit.
            .expression_attribute_values(":before", text(before.unwrap_or(":")))
            .scan_index_forward(false)
            // One more, to see whether there is a next page.
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX))
            .send();
        let found =
            query.await.map_err(SdkError::into_service_error).context("listing the orders")?;
        let key = |item: &Item| Ok((parsed(item, "placed")?, parsed(item, "id")?));
        found.items().iter().map(key).collect()
    }

    async fn get_all(
        &self,
        ids: impl Iterator<Item = OrderId>,
    ) -> anyhow::Result<Vec<PlacedOrder>> {
        let keys: Vec<_> = ids.map(|id| Item::from([("id".to_owned(), text(id))])).collect();
        let mut orders = Vec::with_capacity(keys.len());
        let mut asked = (!keys.is_empty()).then_some(keys);
        let mut pause = UNPROCESSED_PAUSE;
        while let Some(keys) = asked.take() {
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
            let get = self
                .items
                .dynamodb
                .batch_get_item()
                .request_items(&self.items.table, keys.build()?);
            let got = get.send().await.map_err(SdkError::into_service_error);
            let got = got.context("reading the listed orders")?;
            let items =
                got.responses.unwrap_or_default().remove(&self.items.table).unwrap_or_default();
            // One that cannot be read does not hold up the others.
            orders.extend(items.iter().filter_map(|item| self.read(item).ok()));
            // DynamoDB may leave some keys for another request.
            let left = got.unprocessed_keys.unwrap_or_default().remove(&self.items.table);
            asked = left.map(|left| left.keys).filter(|keys| !keys.is_empty());
            if asked.is_some() {
                sleep(rand::random_range(Duration::ZERO..pause)).await;
                pause *= 2;
            }
        }
        Ok(orders)
    }
}
