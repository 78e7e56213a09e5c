//! Whether anything was lost, and whether anything happened twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use account::provision::Account;
use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use orders::{
    event::{Event, ORDERS_TOPIC},
    order::Amount,
    report::{Report, State},
};
use pubsub::notification::Notification;

use super::{Stage, load::Accepted, quiet};

const AUDIT_QUEUE: &str = "chaos-audit";
/// From here up an order earns a coupon: the manifest's filter policy.
const THRESHOLD_CENTS: u64 = 8_000;

/// The rows of the audit.
#[derive(Debug)]
pub struct Audit {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: &'static str,
    count: usize,
    /// What `count` has to be; `None` for a row that only informs.
    expected: Option<usize>,
}

impl Audit {
    /// Whether every row is as it has to be.
    pub fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.expected.is_none_or(|expected| expected == row.count))
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Row { what, count, expected } in &self.rows {
            let verdict = match expected {
                None => String::new(),
                Some(expected) if expected == count => "  ok".to_owned(),
                Some(expected) => format!("  FAILED: should be {expected}"),
            };
            writeln!(f, "{what:<44}{count:>8}{verdict}")?;
        }
        Ok(())
    }
}

/// Makes a queue that gets a copy of every announcement, and returns its URL.
pub async fn subscribe(aws: &SdkConfig, account: &Account) -> anyhow::Result<String> {
    let sqs = aws_sdk_sqs::Client::new(aws);
    let made = sqs.create_queue().queue_name(AUDIT_QUEUE).send().await?;
    let url = made.queue_url.context("the audit queue has no URL")?;
    let publisher = account.service("publisher").context("no publisher")?;
    let worker = account.service("fulfilment").and_then(|worker| worker.queue.as_ref());
    let worker = &worker.context("no queue")?.arn;
    let (place, _) = worker.rsplit_once(':').context("an ARN has colons")?;
    aws_sdk_sns::Client::new(aws)
        .subscribe()
        .topic_arn(publisher.topic_arn(ORDERS_TOPIC)?)
        .protocol("sqs")
        .endpoint(format!("{place}:{AUDIT_QUEUE}"))
        .send()
        .await?;
    Ok(url)
}

/// Compares what was accepted with what became of it.
pub async fn audit(stage: &Stage, accepted: &[Accepted], unclean: usize) -> anyhow::Result<Audit> {
    let accepted: BTreeMap<String, Amount> =
        accepted.iter().map(|order| (order.id.to_string(), order.amount)).collect();
    let stored = column(stage, "publisher", "ORDERS_TABLE_NAME", "id", "amount").await?;
    let coupons = column(stage, "promotion", "COUPONS_TABLE_NAME", "order_id", "code").await?;
    let announced = announcements(stage).await?;
    let fulfilled = count_by_order(stage, "fulfilment", "order fulfilled");
    let shown = shown(stage).await?;
    let granted = codes_by_order(stage);

    let threshold = Amount::from_cents(THRESHOLD_CENTS).context("the threshold is an amount")?;
    let rewarded: BTreeSet<_> = accepted
        .iter()
        .filter(|(_, amount)| **amount >= threshold)
        .map(|(id, _)| id.as_str())
        .collect();
    let of_accepted = |ids: &dyn Fn(&str) -> bool| accepted.keys().filter(|id| ids(id)).count();
    let as_accepted =
        |id: &str| stored.get(id).and_then(|it| it.parse().ok()) == accepted.get(id).copied();
    let two_codes = granted.iter().filter(|(id, codes)| {
        codes.len() > 1 || codes.iter().any(|code| coupons.get(*id) != Some(code))
    });
    let again = |counts: &BTreeMap<String, usize>| counts.values().map(|n| n - 1).sum();
    let all = Some(accepted.len());
    let row = |what, count, expected| Row { what, count, expected };
    Ok(Audit {
        rows: vec![
            row("accepted", accepted.len(), None),
            row("stored, as they were accepted", of_accepted(&as_accepted), all),
            row("announced", of_accepted(&|id| announced.contains_key(id)), all),
            row("fulfilled", of_accepted(&|id| fulfilled.contains_key(id)), all),
            row("shown as fulfilled", of_accepted(&|id| shown.fulfilled.contains(id)), all),
            row("orders of 80 or more", rewarded.len(), None),
            row("coupons", coupons.len(), Some(rewarded.len())),
            row(
                "coupons of orders that earned none",
                coupons.keys().filter(|id| !rewarded.contains(id.as_str())).count(),
                Some(0),
            ),
            row(
                "coupons shown as they were stored",
                coupons.iter().filter(|(id, code)| shown.coupons.get(*id) == Some(code)).count(),
                Some(rewarded.len()),
            ),
            row("dead letters left", quiet::dead_letters(stage).await?, Some(0)),
            row("announced more than once", again(&announced), None),
            row("fulfilled again after a duplicate", again(&fulfilled), None),
            row(
                "stored, but never accepted",
                stored.keys().filter(|id| !accepted.contains_key(*id)).count(),
                Some(0),
            ),
            row("processes that ended badly", unclean, Some(0)),
            row(
                "accepted and lost",
                {
                    of_accepted(&|id| {
                        !as_accepted(id)
                            || !announced.contains_key(id)
                            || !fulfilled.contains_key(id)
                            || !shown.fulfilled.contains(id)
                            || (rewarded.contains(id) && !coupons.contains_key(id))
                    })
                },
                Some(0),
            ),
            row("effects made twice (a second coupon)", two_codes.count(), Some(0)),
        ],
    })
}

/// What the workers' reports came to, as they are projected on the orders.
#[derive(Default)]
struct Shown {
    fulfilled: BTreeSet<String>,
    /// The coupon's code, by order.
    coupons: BTreeMap<String, String>,
}

async fn shown(stage: &Stage) -> anyhow::Result<Shown> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&stage.target.config().await);
    let scan = dynamodb.scan().table_name(stage.table("publisher", "ORDERS_TABLE_NAME")?);
    let mut items = scan.into_paginator().items().send();
    let mut shown = Shown::default();
    while let Some(item) = items.next().await {
        let told = item?.into_values().filter_map(|value| value.as_m().ok()?.get("told").cloned());
        for report in told {
            let json = report.as_s().ok().context("a report is a text")?;
            let report: Report = serde_json::from_str(json).context("reading a report")?;
            let id = report.order_id.to_string();
            if report.state == State::Done && report.service == "fulfilment" {
                shown.fulfilled.insert(id.clone());
            }
            let codes = report.attachments.into_iter().filter_map(|it| it.code);
            shown.coupons.extend(codes.map(|code| (id.clone(), code)));
        }
    }
    Ok(shown)
}

/// Two attributes of every item of a table: a map from the key to the other.
async fn column(
    stage: &Stage,
    service: &str,
    variable: &str,
    key: &str,
    value: &str,
) -> anyhow::Result<BTreeMap<String, String>> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&stage.target.config().await);
    let scan = dynamodb.scan().table_name(stage.table(service, variable)?);
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

/// How often each order was announced.
async fn announcements(stage: &Stage) -> anyhow::Result<BTreeMap<String, usize>> {
    let sqs = aws_sdk_sqs::Client::new(&stage.target.config().await);
    let mut counts = BTreeMap::new();
    loop {
        let receive = sqs
            .receive_message()
            .queue_url(&stage.audit_queue)
            .visibility_timeout(3_600)
            .max_number_of_messages(10);
        let messages = receive.send().await?.messages.unwrap_or_default();
        if messages.is_empty() {
            return Ok(counts);
        }
        for message in messages {
            let body = message.body.unwrap_or_default();
            let read = Notification::read(body, "", BTreeMap::new(), 1);
            if let Ok(Event::OrderPlaced(order)) = Event::read(&read) {
                *counts.entry(order.id.to_string()).or_insert(0) += 1;
            }
        }
    }
}

fn count_by_order(stage: &Stage, service: &str, what: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in stage.log.of(service).iter().filter(|line| line.contains(what)) {
        if let Some(id) = field(line, "order.id") {
            *counts.entry(id.to_owned()).or_insert(0) += 1;
        }
    }
    counts
}

fn codes_by_order(stage: &Stage) -> BTreeMap<String, BTreeSet<String>> {
    let mut codes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in stage.log.of("promotion") {
        if let (Some(id), Some(code)) = (field(&line, "order.id"), field(&line, "coupon.code")) {
            codes.entry(id.to_owned()).or_default().insert(code.to_owned());
        }
    }
    codes
}

/// The value of a field in a log line.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace();
    words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}
