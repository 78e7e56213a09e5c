//! The progress of one attempt at a receipt.

use anyhow::Context as _;
use jiff::Timestamp;
use pubsub::{notification::Notification, topic::Topic};
use receipts::{Progress, Step, Verdict};

/// Publishes how far an attempt is. That the last message arrives matters; each repeats the others.
pub struct Attempt {
    progress: Progress,
    topic: Topic,
    /// In an outage the handler is called again and again: one report of that is enough.
    is_quiet: bool,
}

impl Attempt {
    pub fn begin(receipt_id: uuid::Uuid, topic: &Topic, notification: &Notification) -> Self {
        let progress = Progress { receipt_id, steps: Vec::new(), held_up: None, verdict: None };
        let mut attempt =
            Self { progress, topic: topic.clone(), is_quiet: notification.retries > 0 };
        attempt.note("waiting", 10);
        attempt
    }

    /// Notes a step, and publishes it. A failure is only logged.
    pub async fn reached(&mut self, name: &str, percent: u8) {
        self.note(name, percent);
        self.publish().await;
    }

    /// Publishes why it goes no further.
    pub async fn held_up(&mut self, why: &str) {
        self.progress.held_up = Some(why.to_owned());
        self.publish().await;
    }

    /// Publishes the verdict.
    pub async fn end(mut self, verdict: Verdict) -> anyhow::Result<()> {
        self.note("done", 100);
        self.progress.verdict = Some(verdict);
        self.topic.publish(self.progress.message()).await.context("reporting the verdict")
    }

    fn note(&mut self, name: &str, percent: u8) {
        let step = Step { name: name.to_owned(), percent, at: Timestamp::now() };
        self.progress.steps.push(step);
    }

    async fn publish(&self) {
        if self.is_quiet {
            return;
        }
        if let Err(error) = self.topic.publish(self.progress.message()).await {
            let (id, error) = (self.progress.receipt_id, format!("{error:#}"));
            tracing::warn!(receipt.id = %id, error, "publishing progress failed");
        }
    }
}
