//! An order as an item of the table, and back.

use std::{collections::HashMap, str::FromStr, time::Duration};

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::DateTime;
use pubsub::{order::Order, status::Report, timeline::Timeline};
use web::watch::Watched;

/// The attributes that hold what the workers told begin with this; then come the service, the time
/// when the attempt began, and its number.
const REPORT: &str = "report ";

pub type Item = HashMap<String, AttributeValue>;

/// An order as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedOrder {
    /// What was ordered.
    pub order: Order,
    /// When it was accepted.
    pub placed_at: DateTime,
    /// The trace of the request that placed it.
    pub traceparent: Option<String>,
    /// When it was announced.
    pub announced_at: Option<DateTime>,
    /// What its workers told of it, the earliest attempt first.
    pub reports: Vec<Report>,
    /// A number that grows with each change.
    pub version: u64,
}

impl PlacedOrder {
    /// Its way so far.
    pub fn timeline(&self) -> Timeline {
        let earns_coupon = self.order.earns_coupon();
        Timeline::of(self.placed_at, self.announced_at, earns_coupon, &self.reports)
    }
}

impl Watched for PlacedOrder {
    fn version(&self) -> u64 {
        self.version
    }

    fn is_settled(&self) -> bool {
        self.timeline().is_final
    }
}

/// The attribute that holds a report: one for each attempt.
pub fn report_name(report: &Report) -> String {
    format!("{REPORT}{} {} {}", report.service, report.started_at(), report.attempt)
}

pub fn read(item: &Item) -> anyhow::Result<PlacedOrder> {
    let mut reports: Vec<Report> = item
        .iter()
        .filter(|(name, _)| name.starts_with(REPORT))
        .filter_map(|(_, value)| value.as_m().ok()?.get("told")?.as_s().ok())
        .map(|told| serde_json::from_str(told).context("a stored report cannot be read"))
        .collect::<Result<_, _>>()?;
    reports.sort_by_key(|report| (report.started_at(), report.attempt));
    let optional = |name: &str| item.contains_key(name).then(|| parsed(item, name)).transpose();
    Ok(PlacedOrder {
        order: Order {
            id: parsed(item, "id")?,
            customer: parsed(item, "customer")?,
            amount: parsed(item, "amount")?,
        },
        placed_at: time(parsed(item, "placed_at")?),
        traceparent: item.get("traceparent").and_then(|it| it.as_s().ok()).cloned(),
        announced_at: optional("announced_at")?.map(time),
        reports,
        version: parsed(item, "version")?,
    })
}

pub fn parsed<T>(item: &Item, name: &str) -> anyhow::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let value = match item.get(name) {
        Some(AttributeValue::S(value) | AttributeValue::N(value)) => value,
        _ => anyhow::bail!("the stored order has no {name}"),
    };
    value.parse().with_context(|| format!("the {name} of the stored order cannot be read"))
}

pub fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

pub fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

pub fn after(now: u64, delay: Duration) -> u64 {
    now.saturating_add(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX))
}

pub fn time(millis: u64) -> DateTime {
    DateTime::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}
