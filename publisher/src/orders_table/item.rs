//! An order as an item of the table, and back.

use std::{str::FromStr, sync::Arc, time::Duration};

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use orders::{
    order::Order,
    payment::PaymentEvent,
    report::{Report, State},
    timeline::{Timeline, is_done},
};
use outbox::Item;
use serde::de::DeserializeOwned;
use web::watch::Watched;

/// The attributes that hold reports begin with this; then come the service, the time when the
/// attempt began, and its number.
const REPORT: &str = "report ";
/// The attributes that hold payments begin with this; then comes the id of the payment.
pub const PAYMENT: &str = "payment ";
/// How long after its last change a done order may still get a report from a slow service.
const SETTLE_AFTER: Duration = Duration::from_secs(120);

/// An order as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedOrder {
    /// What was ordered.
    pub order: Order,
    /// When it was accepted.
    pub placed_at: Timestamp,
    /// The trace of the request that placed it.
    pub traceparent: Option<String>,
    /// When it was announced last, if that was noted, or else when the first worker began.
    pub announced_at: Option<Timestamp>,
    /// The earliest time at which its latest announcement may have been.
    pub sent_at: Timestamp,
    /// When the outbox looks at it; `None` if it need not be announced any more.
    pub due_at: Option<Timestamp>,
    /// The workers' reports, the earliest attempt first.
    pub reports: Vec<Report>,
    /// What became of payments for it, the earliest first.
    pub payments: Vec<PaymentEvent>,
    /// A number that grows with each change.
    pub version: u64,
    /// The services that have to be done before the order is.
    pub done_when: Arc<[String]>,
}

impl PlacedOrder {
    /// Its progress so far.
    pub fn timeline(&self) -> Timeline {
        Timeline::of(self.placed_at, self.announced_at, &self.done_when, &self.reports)
            .with_payments(&self.payments)
    }

    /// Whether it is done, as the timeline has it.
    pub fn is_done(&self) -> bool {
        is_done(self.announced_at, &self.done_when, &self.reports)
    }

    /// How long the order took, if it is done and this report of its last attempt made it so.
    pub fn completed_by(&self, report: &Report) -> Option<Duration> {
        let counts = report.state == State::Done && self.done_when.contains(&report.service);
        let at = report.steps.last().filter(|_| counts && self.is_done())?.at;
        at.duration_since(self.placed_at).try_into().ok()
    }

    fn changed_at(&self) -> Timestamp {
        let steps = self.reports.iter().flat_map(|report| &report.steps).map(|step| step.at);
        steps.chain(self.announced_at).fold(self.placed_at, Timestamp::max)
    }
}

impl Watched for PlacedOrder {
    fn version(&self) -> u64 {
        self.version
    }

    fn is_settled(&self) -> bool {
        age(self.changed_at()) >= SETTLE_AFTER && self.is_done()
    }
}

/// The attribute that holds a report: one for each attempt.
pub fn report_name(report: &Report) -> String {
    let started_at = report.started_at().as_millisecond();
    format!("{REPORT}{} {started_at} {}", report.service, report.attempt)
}

pub fn read(item: &Item, done_when: &Arc<[String]>) -> anyhow::Result<PlacedOrder> {
    let mut reports: Vec<Report> = stored(item, REPORT, "told");
    let mut payments: Vec<PaymentEvent> = stored(item, PAYMENT, "event");
    payments.sort_by_key(|event| event.timestamp);
    reports.sort_by_key(|report| (report.started_at(), report.attempt));
    let optional = |name: &str| item.contains_key(name).then(|| time(item, name)).transpose();
    let (placed_at, announced_at) = (time(item, "placed_at")?, optional("announced_at")?);
    let noted_at = announced_at.filter(|_| item.contains_key("announcements"));
    Ok(PlacedOrder {
        order: Order {
            id: parsed(item, "id")?,
            customer: parsed(item, "customer")?,
            amount: parsed(item, "amount")?,
        },
        placed_at,
        traceparent: item.get("traceparent").and_then(|it| it.as_s().ok()).cloned(),
        announced_at,
        sent_at: noted_at.unwrap_or(placed_at),
        due_at: outbox::due_at(item),
        reports,
        payments,
        version: parsed(item, "version")?,
        done_when: Arc::clone(done_when),
    })
}

/// What is stored as JSON under `key` of the attributes that begin with `prefix`. A newer version
/// may have stored what this one cannot read: the order is readable all the same.
fn stored<T: DeserializeOwned>(item: &Item, prefix: &str, key: &str) -> Vec<T> {
    let all = item.iter().filter(|(name, _)| name.starts_with(prefix));
    let read = all.filter_map(|(name, value)| {
        let json = value.as_m().ok().and_then(|it| it.get(key)?.as_s().ok());
        let read = json.and_then(|json| serde_json::from_str(json).ok());
        if read.is_none() {
            tracing::warn!(name, "skipped a part of a stored order that cannot be read");
        }
        read
    });
    read.collect()
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

/// How long ago `time` was; zero for the future.
pub fn age(time: Timestamp) -> Duration {
    Timestamp::now().duration_since(time).try_into().unwrap_or_default()
}

/// A time, which is stored in milliseconds since 1970.
fn time(item: &Item, name: &str) -> anyhow::Result<Timestamp> {
    let time = Timestamp::from_millisecond(parsed(item, name)?);
    time.with_context(|| format!("the {name} of the stored order cannot be read"))
}
