//! Sends events of the past to the queue of one subscriber, as SNS sent them.
//!
//! They go past SNS, so that no other subscriber gets them. What the queue's subscriptions would
//! not bring is left out. Each message has the mark of a [replay](pubsub::replay).

use std::time::Duration;

use anyhow::{Context as _, bail};
use archive::{Event, EventId};
use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    types::{QueueAttributeName, SendMessageBatchRequestEntry},
};
use jiff::Timestamp;
use pubsub::replay::REPLAYED;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{
    selection::Selected,
    subscriptions::{Subscriptions, Verdict},
};

/// The limits of SQS for one request, less room for the mark.
const BATCH: u32 = 10;
const BATCH_MAX_BYTES: usize = 250 * 1024;
/// How often entries that SQS refused are sent again, and how long to wait before.
const TRIES: u32 = 5;
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How many batches a second are sent if the rate allows larger ones: smooth enough to watch.
const BATCHES_PER_SECOND: u32 = 10;
/// The most events that are read before something is seen of it.
const MAX_SEEN: usize = 1_000;
/// How the URLs of FIFO queues end.
const FIFO: &str = ".fifo";

/// A queue to replay to.
pub struct Replay {
    sqs: Client,
    url: String,
    subscriptions: Subscriptions,
    /// When it began: the value of the mark.
    began_at: String,
}

/// How a replay goes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// The events that were sent, or would be.
    pub sent: usize,
    /// Those that a filter policy leaves out.
    pub filtered: usize,
    /// Those of topics that the queue is not subscribed to.
    pub foreign: usize,
    /// The last event that needs no replay any more.
    #[serde(serialize_with = "as_text")]
    pub last: Option<EventId>,
    /// Whether it was interrupted.
    pub is_interrupted: bool,
}

impl Replay {
    /// A replay to the queue at `url`.
    ///
    /// # Errors
    ///
    /// As `Subscriptions::of`.
    pub async fn to(aws: &SdkConfig, url: String) -> anyhow::Result<Self> {
        let sqs = Client::new(aws);
        let get = sqs.get_queue_attributes().queue_url(&url);
        let got = get.attribute_names(QueueAttributeName::QueueArn).send().await;
        let got = got.context("reading the ARN of the queue")?.attributes.unwrap_or_default();
        let arn = got.get(&QueueAttributeName::QueueArn).context("the queue has no ARN")?;
        let subscriptions = Subscriptions::of(aws, arn).await?;
        Ok(Self { sqs, url, subscriptions, began_at: format!("{:.3}", Timestamp::now()) })
    }

    /// Sends the events, `rate` a second, until `stopped`; without a rate it only counts them.
    /// Calls `look` after each batch.
    ///
    /// # Errors
    ///
    /// If the events cannot be read, or SQS keeps refusing. What `look` saw last is how far it got.
    pub async fn run(
        &self,
        events: &mut Selected,
        rate: Option<u32>,
        stopped: &CancellationToken,
        mut look: impl FnMut(&Outcome),
    ) -> anyhow::Result<Outcome> {
        let most = rate.map_or(BATCH, |rate| (rate / BATCHES_PER_SECOND).clamp(1, BATCH));
        let (started, mut outcome) = (Instant::now(), Outcome::default());
        loop {
            if stopped.is_cancelled() {
                outcome.is_interrupted = true;
                return Ok(outcome);
            }
            let batch = self.gather(events, most as usize).await?;
            if batch.seen == 0 {
                return Ok(outcome);
            }
            if let Some(rate) = rate {
                self.send(&batch.wanted).await?;
                outcome.add(batch);
                let due = Duration::from_secs_f64(outcome.sent as f64 / f64::from(rate));
                look(&outcome);
                stopped.run_until_cancelled(sleep_until(started + due)).await;
            } else {
                outcome.add(batch);
            }
        }
    }

    /// The next events, of which the queue gets at most this many.
    async fn gather(&self, events: &mut Selected, most: usize) -> anyhow::Result<Batch> {
        let mut batch = Batch::default();
        while batch.wanted.len() < most
            && batch.seen < MAX_SEEN
            && let Some(event) = events.next().await?
        {
            batch.seen += 1;
            batch.last = Some(event.id.clone());
            match self.subscriptions.judge(&event)? {
                Verdict::Wanted => batch.wanted.push(event),
                Verdict::Filtered => batch.filtered += 1,
                Verdict::Foreign => batch.foreign += 1,
            }
        }
        Ok(batch)
    }

    /// Sends up to ten events, in as many requests as their size needs.
    async fn send(&self, events: &[Event]) -> anyhow::Result<()> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for (index, event) in events.iter().enumerate() {
            let entry = self.entry(index, event)?;
            let size = entry.message_body().len();
            if bytes + size > BATCH_MAX_BYTES && !entries.is_empty() {
                self.send_batch(std::mem::take(&mut entries)).await?;
                bytes = 0;
            }
            entries.push(entry);
            bytes += size;
        }
        if entries.is_empty() { Ok(()) } else { self.send_batch(entries).await }
    }

    /// Sends entries until SQS has taken all of them.
    async fn send_batch(
        &self,
        mut entries: Vec<SendMessageBatchRequestEntry>,
    ) -> anyhow::Result<()> {
        for _ in 0..TRIES {
            let send = self.sqs.send_message_batch().queue_url(&self.url);
            let sent = send.set_entries(Some(entries.clone())).send().await;
            let failed = sent.context("sending to the queue")?.failed;
            entries.retain(|entry| failed.iter().any(|it| it.id() == entry.id()));
            if entries.is_empty() {
                return Ok(());
            }
            sleep(RETRY_PAUSE).await;
        }
        bail!("SQS refused {} messages {TRIES} times", entries.len());
    }

    fn entry(&self, index: usize, event: &Event) -> anyhow::Result<SendMessageBatchRequestEntry> {
        let entry = SendMessageBatchRequestEntry::builder().id(index.to_string());
        let entry = entry.message_body(marked(event, &self.began_at)?);
        let entry = if self.url.ends_with(FIFO) {
            // The queue dropped it if it had the id of before.
            let group = event.group.clone().unwrap_or_else(|| event.id.to_string());
            let id = format!("{}/{}", event.id, self.began_at);
            entry.message_group_id(group).message_deduplication_id(id)
        } else {
            entry.set_message_group_id(event.group.clone())
        };
        entry.build().context("an entry of a batch")
    }
}

/// The envelope with the mark of the replay.
fn marked(event: &Event, began_at: &str) -> anyhow::Result<String> {
    let mut envelope: Value = serde_json::from_str(&event.envelope)
        .with_context(|| format!("reading the event {}", event.id))?;
    envelope["MessageAttributes"][REPLAYED] = json!({"Type": "String", "Value": began_at});
    Ok(envelope.to_string())
}

fn as_text<S: Serializer>(id: &Option<EventId>, serializer: S) -> Result<S::Ok, S::Error> {
    id.as_ref().map(EventId::to_string).serialize(serializer)
}

/// Some events, and which of them the queue gets.
#[derive(Default)]
struct Batch {
    wanted: Vec<Event>,
    seen: usize,
    filtered: usize,
    foreign: usize,
    last: Option<EventId>,
}

impl Outcome {
    fn add(&mut self, batch: Batch) {
        self.sent += batch.wanted.len();
        self.filtered += batch.filtered;
        self.foreign += batch.foreign;
        self.last = batch.last.or(self.last.take());
    }
}
