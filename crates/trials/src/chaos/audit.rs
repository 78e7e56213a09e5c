//! Checks that no order was lost and that nothing happened twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use aws_sdk_dynamodb::types::AttributeValue;
use orders::{event::Event, order::Amount};
use pubsub::{notification::Notification, subscribe::FromMessage as _};

use super::{arena::Arena, customers::Accepted, quiet, shown::Shown};

/// Names of rows.
pub const SHOWN_AS_FULFILLED: &str = "shown as fulfilled";
/// As above.
pub const EARN_COUPONS: &str = "orders above promotion's filter";
/// As above.
pub const COUPONS: &str = "coupons";
/// As above.
pub const ANNOUNCED_AGAIN: &str = "announced again";
/// As above.
pub const DEAD_LETTERS: &str = "dead letters left";

/// The rows of the audit.
#[derive(Debug)]
pub struct Audit {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: &'static str,
    count: usize,
    /// The right count; `None` if any is right.
    expected: Option<usize>,
}

impl Audit {
    /// Whether every count is right.
    pub fn passed(&self) -> bool {
        self.rows.iter().all(Row::is_right)
    }

    /// A sentence for each count that is wrong.
    pub fn broken(&self) -> Vec<String> {
        let wrong = self.rows.iter().filter(|row| !row.is_right());
        let sentence = |row: &Row| {
            let expected = row.expected.unwrap_or_default();
            format!("{}: {}, but it must be {expected}", row.what, row.count)
        };
        wrong.map(sentence).collect()
    }

    /// The count in the row `what`; 0 if there is none.
    pub fn count(&self, what: &str) -> usize {
        self.rows.iter().find(|row| row.what == what).map_or(0, |row| row.count)
    }
}

impl Row {
    fn is_right(&self) -> bool {
        self.expected.is_none_or(|expected| expected == self.count)
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Row { what, count, expected } in &self.rows {
            let verdict = match expected {
                None => String::new(),
                Some(expected) if expected == count => "  ok".to_owned(),
                Some(expected) => format!("  FAILED: must be {expected}"),
            };
            writeln!(f, "{what:<50}{count:>8}{verdict}")?;
        }
        Ok(())
    }
}

/// What became of the orders, by order id.
struct Findings {
    accepted: BTreeMap<String, Amount>,
    /// Accepted orders that promotion's filter policy lets through.
    rewarded: BTreeSet<String>,
    /// The total.
    stored: BTreeMap<String, String>,
    /// How often.
    announced: BTreeMap<String, usize>,
    /// How often.
    fulfilled: BTreeMap<String, usize>,
    /// The code of the stored coupon.
    coupons: BTreeMap<String, String>,
    shown: Shown,
    /// Orders whose announcement is in the history.
    kept: BTreeSet<String>,
    dead_letters: usize,
    /// Processes that did not exit cleanly after SIGTERM.
    unclean: usize,
}

/// Compares the accepted orders with what became of them.
pub async fn audit(arena: &Arena, accepted: &[Accepted], unclean: usize) -> anyhow::Result<Audit> {
    let rewarded = accepted.iter().filter(|order| arena.earns_coupon(order.amount));
    let rewarded = rewarded.map(|order| order.id.to_string()).collect();
    let accepted = accepted.iter().map(|order| (order.id.to_string(), order.amount)).collect();
    let findings = Findings {
        accepted,
        rewarded,
        stored: stored(arena).await?,
        announced: announcements(arena).await?,
        fulfilled: count_by_order(arena, "fulfilment", "order fulfilled"),
        coupons: column(arena, "promotion", "COUPONS_TABLE_NAME", "order_id", "code").await?,
        shown: shown(arena).await?,
        kept: kept(arena).await?,
        dead_letters: quiet::dead_letters(arena).await?,
        unclean,
    };
    Ok(Audit { rows: findings.rows() })
}

impl Findings {
    fn rows(&self) -> Vec<Row> {
        let orders = self.accepted.len();
        let rewarded = self.rewarded.len();
        let accepted = |is: &dyn Fn(&str) -> bool| self.accepted.keys().filter(|id| is(id)).count();
        let coupons = |is: &dyn Fn(&str, &str) -> bool| {
            self.coupons.iter().filter(|(id, code)| is(id, code)).count()
        };
        let repeated = |counts: &BTreeMap<String, usize>| counts.values().map(|n| n - 1).sum();
        let unknown = self.stored.keys().filter(|id| !self.accepted.contains_key(*id)).count();
        let is_shown = |id: &str, code: &str| {
            self.shown.coupons.get(id).is_some_and(|shown| shown.contains(code))
        };
        let must = |what, count, expected| Row { what, count, expected: Some(expected) };
        let info = |what, count| Row { what, count, expected: None };
        vec![
            info("orders accepted", orders),
            must("stored as accepted", accepted(&|id| self.is_stored(id)), orders),
            must("announced", accepted(&|id| self.announced.contains_key(id)), orders),
            must("fulfilled", accepted(&|id| self.fulfilled.contains_key(id)), orders),
            must(SHOWN_AS_FULFILLED, accepted(&|id| self.shown.fulfilled.contains(id)), orders),
            must("announcement in the history", accepted(&|id| self.kept.contains(id)), orders),
            info(EARN_COUPONS, rewarded),
            must(COUPONS, self.coupons.len(), rewarded),
            must(
                "coupons of orders below the filter",
                coupons(&|id, _| !self.rewarded.contains(id)),
                0,
            ),
            must("coupons shown as stored", coupons(&is_shown), rewarded),
            must(DEAD_LETTERS, self.dead_letters, 0),
            info(ANNOUNCED_AGAIN, repeated(&self.announced)),
            info("fulfilled again", repeated(&self.fulfilled)),
            must("orders stored but never accepted", unknown, 0),
            must("processes that did not exit cleanly after SIGTERM", self.unclean, 0),
            must("orders accepted but lost", accepted(&|id| self.is_lost(id)), 0),
            must("orders with a second coupon", self.second_coupons(), 0),
        ]
    }

    /// Whether an order is stored with the total that was accepted.
    fn is_stored(&self, id: &str) -> bool {
        let stored = self.stored.get(id).and_then(|total| total.parse().ok());
        stored == self.accepted.get(id).copied()
    }

    /// Whether an accepted order lacks something that it should have.
    fn is_lost(&self, id: &str) -> bool {
        !self.is_stored(id)
            || !self.announced.contains_key(id)
            || !self.fulfilled.contains_key(id)
            || !self.shown.fulfilled.contains(id)
            || (self.rewarded.contains(id) && !self.coupons.contains_key(id))
    }

    /// The number of orders for which promotion reported another code than the one stored.
    fn second_coupons(&self) -> usize {
        let is_second = |(id, codes): &(&String, &BTreeSet<String>)| {
            codes.len() > 1 || codes.iter().any(|code| self.coupons.get(*id) != Some(code))
        };
        self.shown.coupons.iter().filter(is_second).count()
    }
}

async fn shown(arena: &Arena) -> anyhow::Result<Shown> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&arena.aws);
    let scan = dynamodb.scan().table_name(arena.table("publisher", "ORDERS_TABLE_NAME")?);
    let mut items = scan.into_paginator().items().send();
    let mut shown = Shown::default();
    while let Some(item) = items.next().await {
        shown.add(&item?)?;
    }
    Ok(shown)
}

/// The orders whose announcement is in the history.
async fn kept(arena: &Arena) -> anyhow::Result<BTreeSet<String>> {
    let events = column(arena, "history", "EVENTS_TABLE_NAME", "event_id", "envelope").await?;
    let announced = events.into_values().filter_map(|envelope| {
        let read = Notification::read(envelope, "", BTreeMap::new(), 1);
        match Event::from_message(&read) {
            Ok(Event::OrderPlaced(order)) => Some(order.id.to_string()),
            _ => None,
        }
    });
    Ok(announced.collect())
}

/// The amount of every order that is stored.
pub async fn stored(arena: &Arena) -> anyhow::Result<BTreeMap<String, String>> {
    let mut stored = column(arena, "publisher", "ORDERS_TABLE_NAME", "id", "amount").await?;
    // The table remembers in an item of its own how many shards there are.
    stored.remove("shards");
    Ok(stored)
}

/// The attribute `value` of every item of a table, by its attribute `key`.
pub async fn column(
    arena: &Arena,
    service: &str,
    variable: &str,
    key: &str,
    value: &str,
) -> anyhow::Result<BTreeMap<String, String>> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&arena.aws);
    let scan = dynamodb.scan().table_name(arena.table(service, variable)?);
    let mut pages = scan.into_paginator().items().send();
    let text = |value: Option<&AttributeValue>| match value {
        Some(AttributeValue::S(text) | AttributeValue::N(text)) => text.clone(),
        _ => String::new(),
    };
    let mut column = BTreeMap::new();
    while let Some(item) = pages.next().await {
        let item = item?;
        column.insert(text(item.get(key)), text(item.get(value)));
    }
    Ok(column)
}

/// How often each order was announced, by the audit queue.
async fn announcements(arena: &Arena) -> anyhow::Result<BTreeMap<String, usize>> {
    let sqs = aws_sdk_sqs::Client::new(&arena.aws);
    let mut counts = BTreeMap::new();
    loop {
        let receive = sqs
            .receive_message()
            .queue_url(&arena.audit_queue)
            .visibility_timeout(3_600)
            .max_number_of_messages(10);
        let messages = receive.send().await?.messages.unwrap_or_default();
        if messages.is_empty() {
            return Ok(counts);
        }
        for message in messages {
            let body = message.body.unwrap_or_default();
            let read = Notification::read(body, "", BTreeMap::new(), 1);
            if let Ok(Event::OrderPlaced(order)) = Event::from_message(&read) {
                *counts.entry(order.id.to_string()).or_insert(0) += 1;
            }
        }
    }
}

/// How often `service` logged `text`, by order.
fn count_by_order(arena: &Arena, service: &str, text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in arena.log.of(service).iter().filter(|line| line.contains(text)) {
        if let Some(id) = field(line, "order.id") {
            *counts.entry(id.to_owned()).or_insert(0) += 1;
        }
    }
    counts
}

/// The value of a field in a log line.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace();
    words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}
