//! An index is behind its table.
//!
//! "Changes to the table data are propagated to the global secondary indexes within a fraction of a
//! second, under normal conditions. However, in some unlikely failure scenarios, longer propagation
//! delays might occur":
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.Writes>
//!
//! A second database gets every item a while after the first, in the same order, and answers the
//! queries of indexes.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hyper::{StatusCode, body::Bytes};
use serde_json::{Value as Json, json};

use super::{chance::Chance, schemas::Written};
use crate::endpoint::dynamodb::DynamoDb;

/// How far an index is usually behind.
const USUAL_MS: std::ops::RangeInclusive<u64> = 0..=100;
/// How many items take longer, and how long.
const SLOW_PERCENT: u8 = 5;
const SLOW_MS: std::ops::RangeInclusive<u64> = 100..=1_000;

/// The indexes, as they were a while ago.
#[derive(Debug)]
pub struct LateIndex {
    chance: Chance,
    copy: DynamoDb,
    pending: Mutex<VecDeque<Pending>>,
}

/// An item that the copy does not have yet.
#[derive(Debug)]
struct Pending {
    due: Instant,
    operation: &'static str,
    request: Json,
}

impl LateIndex {
    /// Draws from a seed.
    ///
    /// # Errors
    ///
    /// If the second database cannot be created.
    pub fn new(seed: u64, region: &str) -> anyhow::Result<Self> {
        let (chance, copy) = (Chance::new(seed, "late index"), DynamoDb::new(region)?);
        Ok(Self { chance, copy, pending: Mutex::default() })
    }

    /// Creates, changes or deletes a table in the copy too.
    pub fn change_table(&self, operation: &str, body: &[u8]) {
        self.copy.answer(operation, body);
    }

    /// Records that an item was written, and returns it as it is now.
    pub fn wrote(
        &self,
        database: &DynamoDb,
        Written { table: name, key, .. }: &Written,
    ) -> Option<Json> {
        // The lock keeps the order of two writes of an item.
        let mut pending = self.pending();
        let item = read(database, name, key);
        let (operation, request) = match &item {
            Some(item) => ("PutItem", json!({"TableName": name, "Item": item})),
            None => ("DeleteItem", json!({"TableName": name, "Key": key})),
        };
        let range = if self.chance.of(SLOW_PERCENT) { SLOW_MS } else { USUAL_MS };
        let due = Instant::now() + Duration::from_millis(self.chance.number(range));
        let due = pending.back().map_or(due, |last| last.due.max(due));
        pending.push_back(Pending { due, operation, request });
        item
    }

    /// The answer to a query of an index.
    pub fn query(&self, body: &[u8]) -> (StatusCode, Bytes) {
        let mut pending = self.pending();
        let now = Instant::now();
        while pending.front().is_some_and(|first| first.due <= now) {
            if let Some(Pending { operation, request, .. }) = pending.pop_front() {
                self.copy.answer(operation, request.to_string().as_bytes());
            }
        }
        self.copy.answer("Query", body)
    }

    /// Nothing in here panics while it holds the lock, so the data behind a poisoned one is right.
    fn pending(&self) -> MutexGuard<'_, VecDeque<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The item with a key, if there is one.
pub fn read(database: &DynamoDb, table: &str, key: &Json) -> Option<Json> {
    let get = json!({"TableName": table, "Key": key, "ConsistentRead": true});
    let (_, answer) = database.answer("GetItem", get.to_string().as_bytes());
    let mut answer: Json = serde_json::from_slice(&answer).ok()?;
    Some(answer["Item"].take()).filter(Json::is_object)
}
