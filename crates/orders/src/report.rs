//! Reports: how a worker says what it did with an order, on a topic of its own.
//!
//! A report is about one attempt and contains all its steps so far. Of two reports of an attempt,
//! the one with more steps says everything that the other says. So reports may arrive in any order,
//! twice, or not at all except for the last.

use anyhow::{Context as _, ensure};
use jiff::{Timestamp, fmt::serde::timestamp::millisecond};
use pubsub::{
    notification::Notification,
    subscribe::{FromMessage, Json, UnknownType},
    topic::{Attribute, Message, Topic},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::EVENT_TYPE,
    order::{Order, OrderId},
};

#[cfg(test)]
mod tests;

/// The topic of a worker's reports, as its manifest names it.
pub const STATUS_TOPIC: &str = "orderStatus";
/// The most bytes of a report. An item of DynamoDB has at most 400 KB, and an order has a report
/// for each attempt of each service; ours have less than one.
const MAX_BYTES: usize = 16 * 1024;
/// What the types of reports begin with.
const REPORTS: &str = "order.";
/// The types of reports that are sent, as a regular expression: `order.fulfilled`, or a service and
/// its step.
pub(crate) const REPORT_TYPES: &str = r"^order\.(fulfilled|[a-z][a-z0-9-]*\.[a-z][a-z0-9_-]*)$";

/// What one worker did with one order in one attempt, so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Received")]
pub struct Report {
    /// The order.
    pub order_id: OrderId,
    /// The worker's service.
    pub service: String,
    /// How many times the worker's message was received, this time included.
    pub attempt: u32,
    /// The state of the attempt.
    pub state: State,
    /// The steps so far; the first is always `started`.
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
    /// What the worker has for the customer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// The state of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The worker is at it.
    Working,
    /// The worker is done with the order.
    Done,
    /// It failed. The message is retried unless it has no retries left.
    Failed,
}

/// A step of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// What was done, as a word such as `picked`.
    pub name: String,
    /// When it was done, by the worker's clock; in messages, in milliseconds since 1970.
    #[serde(with = "millisecond::required")]
    #[schemars(with = "i64")]
    pub at: Timestamp,
}

/// Something for the customer, such as a coupon's code or a link to an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attachment {
    /// What it is, as a line of text.
    pub label: String,
    /// A code to copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub code: Option<String>,
    /// Where to find it: an `https` URL, or a path on the publisher's site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub link: Option<String>,
}

/// A report as it may have been sent: version 0.1.0 knew coupons in place of attachments.
#[derive(Deserialize, JsonSchema)]
struct Received {
    order_id: OrderId,
    service: String,
    attempt: u32,
    state: State,
    steps: Vec<Step>,
    #[serde(default)]
    attachments: Vec<Attachment>,
    coupon: Option<Coupon>,
}

#[derive(Deserialize, JsonSchema)]
struct Coupon {
    code: String,
    percent: u32,
}

impl From<Received> for Report {
    fn from(received: Received) -> Self {
        let Received { order_id, service, attempt, state, steps, mut attachments, coupon } =
            received;
        attachments.extend(coupon.map(|Coupon { code, percent }| Attachment {
            label: format!("{percent} % off your next order"),
            code: Some(code),
            link: None,
        }));
        Self { order_id, service, attempt, state, steps, attachments }
    }
}

impl FromMessage for Report {
    fn from_message(notification: &Notification) -> anyhow::Result<Self> {
        // A report of version 0.1.0 that comes without SNS has no type.
        let event_type = notification.attributes.get(EVENT_TYPE).map_or(REPORTS, String::as_str);
        if !event_type.starts_with(REPORTS) {
            return Err(UnknownType(event_type.to_owned()).into());
        }
        let bytes = notification.message.len();
        ensure!(bytes <= MAX_BYTES, "a report has at most {MAX_BYTES} bytes, and this has {bytes}");
        let Json(report) = Json::<Self>::from_message(notification)?;
        ensure!(!report.steps.is_empty(), "steps: a report has at least one");
        Ok(report)
    }
}

impl Report {
    /// When the attempt began.
    pub fn started_at(&self) -> Timestamp {
        self.steps.first().map_or(Timestamp::UNIX_EPOCH, |step| step.at)
    }

    fn message(&self) -> Message {
        let latest = self.steps.last().map_or("", |step| step.name.as_str());
        let event_type = match latest {
            // The event that most subscribers want has the shortest name.
            "fulfilled" => "order.fulfilled".to_owned(),
            step => format!("order.{}.{step}", self.service),
        };
        let (id, attempt) = (self.order_id, self.attempt);
        Message {
            body: serde_json::to_string(self).expect("a report consists of strings and numbers"),
            attributes: vec![(EVENT_TYPE, Attribute::Text(event_type))],
            group: id.to_string(),
            deduplication_id: format!("{id}-{}-{attempt}-{}", self.service, self.steps.len()),
        }
    }
}

/// Publishes a worker's reports on the worker's own topic. A clone is cheap.
#[derive(Clone, Debug)]
pub struct Reporter {
    service: &'static str,
    topic: Topic,
}

impl Reporter {
    /// The reporter of `service`, on the service's topic for reports.
    pub fn new(service: &'static str, topic: Topic) -> Self {
        Self { service, topic }
    }

    /// Begins the report of one attempt at an order, which came with `notification`.
    pub fn begin(&self, order: &Order, notification: &Notification) -> Progress {
        let report = Report {
            order_id: order.id,
            service: self.service.to_owned(),
            attempt: notification.attempt,
            state: State::Working,
            steps: Vec::new(),
            attachments: Vec::new(),
        };
        // In an outage the handler is called again and again: one report of that is enough.
        let may_fail = notification.retries == 0;
        let mut progress = Progress { topic: self.topic.clone(), report, may_fail };
        progress.note("started");
        progress
    }
}

/// The progress of one attempt at an order.
///
/// If it is dropped before it was [`done`](Progress::done) (because of an error, a panic or a
/// deadline), the attempt is reported as failed, unless it is a retry in an outage.
#[derive(Debug)]
#[must_use = "an attempt that is dropped has failed"]
pub struct Progress {
    topic: Topic,
    report: Report,
    /// Whether the attempt is to be reported as failed if this is dropped.
    may_fail: bool,
}

impl Progress {
    /// Notes a step. The next report contains it.
    pub fn note(&mut self, step: &str) {
        self.report.steps.push(Step { name: step.to_owned(), at: Timestamp::now() });
    }

    /// Publishes the steps so far. A failure is only logged, because the next report repeats them.
    pub async fn publish(&self) {
        if let Err(error) = self.topic.publish(self.report.message()).await {
            let (id, error) = (self.report.order_id, format!("{error:#}"));
            tracing::warn!(order.id = %id, error, "publishing progress failed");
        }
    }

    /// Notes the last step and reports completion, with what the worker has for the customer.
    ///
    /// # Errors
    ///
    /// If the report cannot be published, or the answer of SNS was lost. The attempt is not
    /// reported as failed then: completion may have been reported, and the message is retried.
    pub async fn done(mut self, step: &str, attachments: Vec<Attachment>) -> anyhow::Result<()> {
        self.note(step);
        self.report.state = State::Done;
        self.report.attachments = attachments;
        self.topic.publish(self.report.message()).await.context("reporting completion")
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.report.state == State::Done || !self.may_fail {
            return;
        }
        // While the runtime shuts down there is nothing to publish with.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        self.note("failed");
        self.report.state = State::Failed;
        let (topic, message) = (self.topic.clone(), self.report.message());
        runtime.spawn(async move { topic.publish(message).await });
    }
}
