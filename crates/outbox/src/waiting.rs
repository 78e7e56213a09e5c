//! What is in an outbox, for operators.

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use pubsub::unavailable::call_failed;

use crate::{
    items::Item,
    table::{Due, INDEX, parsed},
};

/// An item in the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Its key.
    pub id: String,
    /// When it was announced last; `None` if it was not, as far as the table knows.
    pub announced_at: Option<Timestamp>,
    /// How often it was announced, as far as that was noted.
    pub announcements: u32,
    /// Why the topic refused it.
    pub refused: Option<String>,
    /// When its lease is over, or it is looked at again.
    pub due_at: Timestamp,
    /// The whole item.
    pub item: Item,
}

/// Up to `limit` items of an outbox, in no particular order. An item that was stored a moment ago
/// is among them until its first report comes in.
///
/// It scans the index, which holds nothing else: a unit of read capacity for 8 KB.
///
/// # Errors
///
/// If DynamoDB is unavailable, or the table has no outbox.
pub async fn waiting(aws: &SdkConfig, table: &str, limit: usize) -> anyhow::Result<Vec<Waiting>> {
    let scan = Client::new(aws).scan().table_name(table).index_name(INDEX);
    let mut items = scan.into_paginator().items().send();
    let mut waiting = Vec::new();
    while waiting.len() < limit
        && let Some(item) = items.next().await
    {
        let item = item.map_err(call_failed).context("reading the outbox")?;
        let due = Due::read(item, 0)?;
        waiting.push(Waiting {
            due_at: due.due_at(),
            refused: parsed(&due.item, "refused").ok(),
            announced_at: due.announced_at,
            announcements: due.announcements,
            id: due.id,
            item: due.item,
        });
    }
    Ok(waiting)
}
