//! What became of an order, as its workers tell it: on their own topics, to whoever shows it.
//!
//! A report is of one attempt, and tells all its steps so far. So of two reports of an attempt the
//! one with more steps says everything that the other does: they may arrive in any order, twice,
//! or not at all but for the last.

use std::time::SystemTime;

use anyhow::Context as _;
use aws_config::SdkConfig;
use serde::{Deserialize, Serialize};

use crate::{
    env::{self, Misconfigured},
    event::EVENT_TYPE,
    notification::Notification,
    order::{Order, OrderId},
    subscribe::Failure,
    topic::{Announcement, Attribute, Topic},
};

/// The topic on which a worker tells what it did, as its manifest names it.
pub const STATUS_TOPIC: &str = "orderStatus";

/// What one worker did with one order in one attempt, so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The order.
    pub order_id: OrderId,
    /// The worker's service.
    pub service: String,
    /// How many times the worker's message was received, this time included.
    pub attempt: u32,
    /// How it stands.
    pub state: State,
    /// What was done; the first is always `started`.
    pub steps: Vec<Step>,
    /// What the customer gets for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon: Option<Coupon>,
}

/// How an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is under way.
    Working,
    /// The worker is done with the order.
    Done,
    /// It failed. The message comes again, unless it was its last try.
    Failed,
}

/// A step of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What was done: a word such as `picked`.
    pub name: String,
    /// When it was done, by the worker's clock, in milliseconds since 1970.
    pub at: u64,
}

/// What a large order earns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupon {
    /// What the customer types to use it.
    pub code: String,
    /// How much of the next order it takes off, in percent.
    pub percent: u32,
}

impl Report {
    /// Reads the report in a notification.
    ///
    /// # Errors
    ///
    /// [`Failure::Poison`] if it cannot be read: no later try would read it either.
    pub fn read(notification: &Notification) -> Result<Self, Failure> {
        // serde's own errors quote what they could not read, and reasons are logged.
        let report: Option<Self> = serde_json::from_str(&notification.message).ok();
        let complete = report.filter(|report| !report.steps.is_empty());
        complete.context("the message is no status report").map_err(Failure::Poison)
    }

    /// When the attempt began, in milliseconds since 1970.
    pub fn started_at(&self) -> u64 {
        self.steps.first().map_or(0, |step| step.at)
    }

    fn announcement(&self) -> Announcement {
        let latest = self.steps.last().map_or("", |step| step.name.as_str());
        let kind = match latest {
            // The event that others wait for has the shortest name.
            "fulfilled" => "order.fulfilled".to_owned(),
            step => format!("order.{}.{step}", self.service),
        };
        let (id, attempt) = (self.order_id, self.attempt);
        Announcement {
            message: serde_json::to_string(self).expect("a report has only text and numbers in it"),
            attributes: vec![(EVENT_TYPE, Attribute::Text(kind))],
            group: id.to_string(),
            deduplication_id: format!("{id}-{}-{attempt}-{}", self.service, self.steps.len()),
        }
    }
}

/// Tells what a worker does, on the worker's own topic. A clone is cheap.
#[derive(Clone, Debug)]
pub struct Reporter {
    service: &'static str,
    topic: Topic,
}

impl Reporter {
    /// The reporter of `service`, on the topic that Copilot made for it.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if `COPILOT_SNS_TOPIC_ARNS` does not name the topic.
    pub fn from_env(aws: &SdkConfig, service: &'static str) -> Result<Self, Misconfigured> {
        Ok(Self { service, topic: Topic::new(aws, env::topic_arn(STATUS_TOPIC)?) })
    }

    /// Starts to tell of one attempt at an order.
    pub fn start(&self, order: &Order, attempt: u32) -> Progress {
        let report = Report {
            order_id: order.id,
            service: self.service.to_owned(),
            attempt,
            state: State::Working,
            steps: Vec::new(),
            coupon: None,
        };
        let mut progress = Progress { topic: self.topic.clone(), report };
        progress.note("started");
        progress
    }
}

/// The progress of one attempt at an order.
///
/// However it ends without having been [`done`](Progress::done) (an error, a panic, a deadline), it
/// is told as failed when it is dropped.
#[derive(Debug)]
#[must_use = "an attempt that is dropped has failed"]
pub struct Progress {
    topic: Topic,
    report: Report,
}

impl Progress {
    /// Notes a step. It is told by the next report.
    pub fn note(&mut self, step: &str) {
        self.report.steps.push(Step { name: step.to_owned(), at: now() });
    }

    /// Tells the steps so far, while there is something to watch. That it succeeds is not
    /// important: the next report tells them again.
    pub async fn tell(&self) {
        if let Err(error) = self.topic.publish(self.report.announcement()).await {
            let (id, error) = (self.report.order_id, format!("{error:#}"));
            tracing::warn!(order.id = %id, error, "cannot tell the progress");
        }
    }

    /// Notes the last step and tells that the worker is done, and what the customer gets for it.
    ///
    /// # Errors
    ///
    /// If SNS does not take it: then the attempt has failed, because nobody knows of it.
    pub async fn done(mut self, step: &str, coupon: Option<Coupon>) -> anyhow::Result<()> {
        self.note(step);
        let report = Report { state: State::Done, coupon, ..self.report.clone() };
        self.topic.publish(report.announcement()).await.context("telling that it is done")?;
        self.report.state = State::Done;
        Ok(())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.report.state == State::Done {
            return;
        }
        // A runtime that ends has no time for it, and nobody to wait.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        self.note("failed");
        self.report.state = State::Failed;
        let (topic, report) = (self.topic.clone(), self.report.announcement());
        runtime.spawn(async move { topic.publish(report).await });
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &str) -> Result<Report, Failure> {
        Report::read(&Notification { message: message.to_owned(), ..Notification::default() })
    }

    #[test]
    fn a_report_is_read_as_it_was_told_and_nothing_else_is() {
        let report = Report {
            order_id: OrderId::new(),
            service: "promotion".to_owned(),
            attempt: 2,
            state: State::Done,
            steps: vec![Step { name: "granted".to_owned(), at: 1_700_000_000_000 }],
            coupon: Some(Coupon { code: "K7QD-2MXA-9TRW".to_owned(), percent: 20 }),
        };
        let told = report.announcement();
        assert_eq!(read(&told.message).ok(), Some(report.clone()));
        let kind = told.attributes.iter().find(|(name, _)| *name == EVENT_TYPE);
        assert!(
            matches!(kind, Some((_, Attribute::Text(kind))) if kind == "order.promotion.granted")
        );

        let without_steps = told.message.replace(r#""steps":[{"#, r#""steps":[],"was":[{"#);
        for message in ["", "{", "\"Ada Lovelace\"", &without_steps] {
            let Err(Failure::Poison(reason)) = read(message) else { panic!("{message} was read") };
            assert!(!format!("{reason:#}").contains("Ada"), "{reason:#}");
        }
    }

    #[test]
    fn the_event_that_others_wait_for_has_the_shortest_name() {
        for (step, expected) in [
            ("started", "order.fulfilment.started"),
            ("fulfilled", "order.fulfilled"),
            ("failed", "order.fulfilment.failed"),
        ] {
            let report = Report {
                order_id: OrderId::new(),
                service: "fulfilment".to_owned(),
                attempt: 1,
                state: State::Working,
                steps: vec![Step { name: step.to_owned(), at: 0 }],
                coupon: None,
            };
            let attributes = report.announcement().attributes;
            assert!(matches!(&attributes[0].1, Attribute::Text(kind) if kind == expected));
        }
    }
}
