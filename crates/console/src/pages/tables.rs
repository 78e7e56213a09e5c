//! The items of the tables: some of them, or one by its key.

use std::collections::HashMap;

use anyhow::Context as _;
use askama::Template;
use aws_sdk_dynamodb::types::{AttributeValue, TableDescription};

use super::{
    part::{Main, chosen, made},
    sentence::missing,
};
use crate::app::{App, Choices};

/// How many items are shown.
const SHOWN: i32 = 12;
/// How much of a value is shown in a list; alone, an item is shown whole.
const SHOWN_CHARACTERS: usize = 120;

type Item = HashMap<String, AttributeValue>;

#[derive(Template)]
#[template(path = "tables.html")]
struct Page {
    tables: Vec<String>,
    table: String,
    indexes: Vec<String>,
    index: String,
    key: String,
    key_name: String,
    items: Vec<Vec<(String, String)>>,
}

pub async fn main(app: &App, choices: &Choices) -> anyhow::Result<Main> {
    let tables = app.dynamodb.list_tables().send().await.context("listing the tables")?;
    let tables = tables.table_names.unwrap_or_default();
    let is_orders = |name: &&String| name.to_lowercase().contains("orders");
    let first = tables.iter().find(is_orders).or(tables.first()).cloned().unwrap_or_default();
    let table = Some(chosen(choices, "table")).filter(|it| !it.is_empty()).unwrap_or(first);
    if !table.is_empty() && !tables.contains(&table) {
        return Ok(missing(&format!("There is no table {table}.")));
    }
    let description = app.dynamodb.describe_table().table_name(&table).send().await;
    let description = description
        .context("describing the table")?
        .table
        .unwrap_or_else(|| TableDescription::builder().build());
    let keys: Vec<_> = description.key_schema().iter().map(|it| it.attribute_name()).collect();
    let indexes = description.global_secondary_indexes().iter();
    let indexes: Vec<_> = indexes.filter_map(|it| it.index_name().map(str::to_owned)).collect();
    let index = Some(chosen(choices, "index")).filter(|it| !it.is_empty());
    if let Some(index) = index.as_ref().filter(|it| !indexes.contains(it)) {
        return Ok(missing(&format!("{table} has no index {index}.")));
    }
    let key = chosen(choices, "key");
    let key_name = keys.first().copied().unwrap_or_default();
    let items = if key.is_empty() {
        some(app, &table, index.as_deref()).await?
    } else {
        of_key(app, &table, key_name, &key).await?
    };
    let most = if key.is_empty() { SHOWN_CHARACTERS } else { usize::MAX };
    let items = items.iter().map(|item| shown(item, &keys, most)).collect();
    let (key_name, index) = (key_name.to_owned(), index.unwrap_or_default());
    made("Tables", &Page { tables, table, indexes, index, key, key_name, items })
}

async fn some(app: &App, table: &str, index: Option<&str>) -> anyhow::Result<Vec<Item>> {
    let scan = app.dynamodb.scan().table_name(table).limit(SHOWN);
    let scan = scan.set_index_name(index.map(str::to_owned)).send().await;
    Ok(scan.context("reading the table")?.items.unwrap_or_default())
}

async fn of_key(app: &App, table: &str, name: &str, key: &str) -> anyhow::Result<Vec<Item>> {
    let query = app.dynamodb.query().table_name(table).limit(SHOWN);
    let query = query.key_condition_expression("#key = :key");
    let query = query.expression_attribute_names("#key", name);
    let value = AttributeValue::S(key.to_owned());
    let query = query.expression_attribute_values(":key", value).send().await;
    Ok(query.context("reading the item")?.items.unwrap_or_default())
}

/// The attributes, the key first.
fn shown(item: &Item, keys: &[&str], most: usize) -> Vec<(String, String)> {
    let short = |text: String| match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    let mut attributes: Vec<_> =
        item.iter().map(|(name, value)| (name.clone(), short(text(value)))).collect();
    let place = |name: &str| keys.iter().position(|key| *key == name).unwrap_or(keys.len());
    attributes.sort_by_key(|(name, _)| (place(name), name.clone()));
    attributes
}

fn text(value: &AttributeValue) -> String {
    let list = |texts: Vec<String>| format!("[{}]", texts.join(", "));
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.clone(),
        AttributeValue::Bool(is) => is.to_string(),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => list(texts.clone()),
        AttributeValue::L(values) => list(values.iter().map(text).collect()),
        AttributeValue::M(map) => {
            let mut all: Vec<_> =
                map.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
            all.sort();
            format!("{{{}}}", all.join(", "))
        }
        AttributeValue::Null(_) => "null".to_owned(),
        other => format!("{other:?}"),
    }
}
