//! Which items a request writes, and which partitions of tables and indexes they are in.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value as Json, json};

/// The tables that have indexes, by name.
#[derive(Debug, Default)]
pub struct Schemas(Mutex<HashMap<String, Schema>>);

#[derive(Clone, Debug)]
struct Schema {
    key: Vec<String>,
    indexes: Vec<Index>,
}

#[derive(Clone, Debug)]
struct Index {
    name: String,
    key: Vec<String>,
    keys_only: bool,
}

/// An item that is written, by the key of its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The name of the table.
    pub table: String,
    /// The key.
    pub key: Json,
    /// The item, if the request has all of it.
    pub item: Option<Json>,
}

impl Schemas {
    /// Learns of a table from the request `CreateTable`.
    pub fn add(&self, request: &Json) {
        let indexes = request["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
        let indexes: Vec<_> = indexes
            .map(|index| Index {
                name: text(&index["IndexName"]),
                key: key_of(&index["KeySchema"]),
                keys_only: index["Projection"]["ProjectionType"] == "KEYS_ONLY",
            })
            .collect();
        if !indexes.is_empty() {
            let schema = Schema { key: key_of(&request["KeySchema"]), indexes };
            self.tables().insert(text(&request["TableName"]), schema);
        }
    }

    /// The items that a request writes, of tables that have indexes.
    pub fn written(&self, operation: &str, request: &Json) -> Vec<Written> {
        let one = |it: &Json| self.item(&it["TableName"], it).into_iter();
        match operation {
            "PutItem" | "UpdateItem" | "DeleteItem" => one(request).collect(),
            "TransactWriteItems" => {
                let parts = request["TransactItems"].as_array().into_iter().flatten();
                let parts = parts.filter_map(Json::as_object).flat_map(serde_json::Map::iter);
                let writes = parts.filter(|(kind, _)| *kind != "ConditionCheck");
                writes.flat_map(|(_, part)| one(part)).collect()
            }
            "BatchWriteItem" => {
                let tables = request["RequestItems"].as_object().into_iter().flatten();
                let writes = tables.flat_map(|(table, writes)| {
                    let writes = writes.as_array().into_iter().flatten();
                    writes.filter_map(Json::as_object).flat_map(move |it| {
                        it.values().map(move |write| (Json::from(table.clone()), write))
                    })
                });
                writes.filter_map(|(table, write)| self.item(&table, write)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The partitions that take a write if an item changes from `old` to `new`.
    pub fn partitions(&self, table: &str, old: Option<&Json>, new: Option<&Json>) -> Vec<String> {
        let tables = self.tables();
        let Some(schema) = tables.get(table) else { return Vec::new() };
        let in_table = old.or(new).map(|item| format!("{table}/{}", item[&schema.key[0]]));
        let mut partitions: Vec<_> = in_table.into_iter().collect();
        for index in &schema.indexes {
            let entry = |item: Option<&Json>| {
                let values: Option<Vec<_>> = index.key.iter().map(|it| item?.get(it)).collect();
                Some(json!(values?))
            };
            let (old, new) = (entry(old), entry(new));
            let touched =
                if old == new { [None, new.filter(|_| !index.keys_only)] } else { [old, new] };
            let touched = touched.into_iter().flatten();
            partitions.extend(touched.map(|key| format!("{table}/{}/{}", index.name, key[0])));
        }
        partitions
    }

    /// The item that a part of a request is about, by its key or with all its attributes.
    fn item(&self, table: &Json, part: &Json) -> Option<Written> {
        let table = text(table);
        let tables = self.tables();
        let schema = tables.get(&table)?;
        let item = part.get("Item").cloned();
        let key = match &item {
            Some(item) => schema.key.iter().map(|it| (it.clone(), item[it].clone())).collect(),
            None => part["Key"].clone(),
        };
        Some(Written { table, key, item })
    }

    /// Nothing in here panics while it holds the lock, so the data behind a poisoned one is right.
    fn tables(&self) -> MutexGuard<'_, HashMap<String, Schema>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

/// The attributes of a key, the partition's first.
fn key_of(schema: &Json) -> Vec<String> {
    let mut key: Vec<&Json> = schema.as_array().into_iter().flatten().collect();
    key.sort_by_key(|part| part["KeyType"] != "HASH");
    key.into_iter().map(|part| text(&part["AttributeName"])).collect()
}
