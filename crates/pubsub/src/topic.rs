//! Publishing to an SNS topic in batches of up to ten messages.
//!
//! SNS bills each request, so pending messages are batched. If no request is in
//! progress, a message is sent at once, so batching does not delay an idle service. Otherwise
//! messages wait until ten of them fill a batch or no other request is in progress, and at most
//! 100 ms.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use aws_config::SdkConfig;
use aws_sdk_sns::{
    Client,
    types::{MessageAttributeValue, PublishBatchRequestEntry},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tracing::Instrument as _;

use crate::{
    operation::Sending,
    replay::{self, CAUSED},
    telemetry::SPANS,
    trace::{self, TRACEPARENT},
    unavailable::{Unavailable, code_type, error_type, is_unavailable, is_unavailable_code},
};

#[cfg(test)]
mod tests;

/// The limits of SNS for one request.
const BATCH_MAX_MESSAGES: usize = 10;
const BATCH_MAX_BYTES: usize = 256 * 1024;
/// More concurrent requests would only make batches smaller.
const MAX_REQUESTS: u32 = 4;
/// How long messages wait for a batch while other requests are in progress.
const MAX_WAIT: Duration = Duration::from_millis(100);
/// How the ARNs of FIFO topics end.
const FIFO: &str = ".fifo";
/// How many messages wait for a batch. Further callers wait for a place.
const MAX_WAITING: usize = 100;

/// A message to publish.
#[derive(Clone, Debug)]
pub struct Message {
    /// The text, at most 256 KiB together with the attributes.
    pub body: String,
    /// The attributes, which filter policies can match. `traceparent` is added when publishing, and
    /// so is the mark of a replay (see [`crate::replay`]) while a replayed message is handled.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// The message group. A FIFO topic keeps the order within a group. The queues of a standard
    /// topic are fair between groups: many messages of one group do not delay those of another.
    pub group: String,
    /// Identifies the message, so that a FIFO topic drops duplicates. Standard topics ignore it.
    pub deduplication_id: String,
}

/// The value of a message attribute.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// A `String`, which filter policies compare as text.
    Text(String),
    /// A `Number`, in decimal notation, which filter policies compare numerically.
    Number(String),
}

/// A topic to publish to. A clone is cheap and shares the batches.
#[derive(Clone, Debug)]
pub struct Topic {
    /// For traces.
    name: Arc<str>,
    waiting: mpsc::Sender<Request>,
}

struct Request {
    message: Message,
    answer: oneshot::Sender<anyhow::Result<()>>,
}

impl Topic {
    /// The topic with this ARN. If it ends in `.fifo`, deduplication ids are sent, and messages are
    /// published in the order of the calls.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn new(aws: &SdkConfig, arn: String) -> Self {
        let (waiting, requests) = mpsc::channel(MAX_WAITING);
        let name: Arc<str> = arn.rsplit(':').next().unwrap_or_default().into();
        let sns = Arc::new(Sns { client: Client::new(aws), metrics: Sending::new(&name), arn });
        tokio::spawn(publish_pending(sns, requests));
        Self { name, waiting }
    }

    /// Publishes a message, and returns when SNS has accepted it. Its receivers continue the
    /// current trace.
    ///
    /// Cancelling this call does not take back a message that is already being sent.
    ///
    /// # Errors
    ///
    /// If SNS rejects the message or is unavailable. The message may have been published even so.
    pub async fn publish(&self, mut message: Message) -> anyhow::Result<()> {
        // Name and fields follow OpenTelemetry's conventions for messaging.
        let span = tracing::info_span!(
            target: SPANS,
            "send",
            otel.name = format!("send {}", self.name),
            otel.kind = "producer",
            messaging.system = "aws.sns",
            messaging.operation.name = "send",
            messaging.operation.type = "send",
            messaging.destination.name = &*self.name,
        );
        if let Some(traceparent) = trace::of(&span) {
            message.attributes.push((TRACEPARENT, Attribute::Text(traceparent)));
        }
        if let Some(replay) = replay::cause() {
            message.attributes.push((CAUSED, Attribute::Text(replay)));
        }
        self.publish_traced(message).instrument(span).await
    }

    async fn publish_traced(&self, message: Message) -> anyhow::Result<()> {
        let (answer, answered) = oneshot::channel();
        let request = Request { message, answer };
        self.waiting.send(request).await.map_err(|_| anyhow!("the topic is closed"))?;
        answered.await.context("SNS returned no result for the message")?
    }
}

/// The topic, as its requests need it.
struct Sns {
    client: Client,
    arn: String,
    metrics: Sending,
}

async fn publish_pending(sns: Arc<Sns>, mut requests: mpsc::Receiver<Request>) {
    // With one request after another, a FIFO topic gets the messages in the order of the calls.
    let max_requests = if sns.arn.ends_with(FIFO) { 1 } else { MAX_REQUESTS };
    let free = Arc::new(Semaphore::new(max_requests as usize));
    let mut waiting = Vec::with_capacity(BATCH_MAX_MESSAGES);
    loop {
        let Ok(permit) = free.clone().acquire_owned().await else {
            return;
        };
        let room = BATCH_MAX_MESSAGES - waiting.len();
        if waiting.is_empty() && requests.recv_many(&mut waiting, room).await == 0 {
            return;
        }
        let until = Instant::now() + MAX_WAIT;
        while waiting.len() < BATCH_MAX_MESSAGES {
            let room = BATCH_MAX_MESSAGES - waiting.len();
            tokio::select! {
                biased;
                received = requests.recv_many(&mut waiting, room) => if received == 0 { break },
                // No other request is in progress.
                _ = free.acquire_many(max_requests - 1) => break,
                // One that SNS does not answer should not hold up the others.
                () = sleep_until(until) => break,
            }
        }
        // A caller that was cancelled does not want its message to be published any more.
        waiting.retain(|request| !request.answer.is_closed());
        if waiting.is_empty() {
            continue;
        }
        let batch: Vec<Request> = waiting.drain(..fitting(&waiting)).collect();
        let sns = Arc::clone(&sns);
        tokio::spawn(async move {
            publish_batch(&sns, batch).await;
            drop(permit);
        });
    }
}

/// How many of the first messages fit in one request. At least one: SNS rejects it if too large.
fn fitting(waiting: &[Request]) -> usize {
    let sizes = waiting.iter().scan(0, |bytes, request| {
        *bytes += request.message.size();
        Some(*bytes)
    });
    sizes.take_while(|bytes| *bytes <= BATCH_MAX_BYTES).count().max(1)
}

async fn publish_batch(Sns { client, arn, metrics }: &Sns, batch: Vec<Request>) {
    let fifo = arn.ends_with(FIFO);
    let count = batch.len();
    let (messages, mut answers): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|request| (request.message, Some(request.answer))).unzip();
    let entries = messages.into_iter().enumerate().map(|(id, it)| it.entry(id, fifo));
    let publish = client.publish_batch().topic_arn(arn);
    let publish = publish.set_publish_batch_request_entries(Some(entries.collect()));
    // Without the box, spawning this would copy the 6 KB of the SDK's future.
    let sent = metrics.requests.time(Box::pin(publish.send())).await;
    let mut settle = |id: Option<&str>, outcome: anyhow::Result<()>| {
        let slot = id.and_then(|id| answers.get_mut(id.parse::<usize>().ok()?)?.take());
        if let Some(answer) = slot {
            // The caller may have been cancelled.
            let _ = answer.send(outcome);
        }
    };
    match sent {
        // A successful response may still report failed messages. A message without a result gets
        // an error too, because its channel is dropped.
        Ok(output) => {
            output.successful().iter().for_each(|entry| settle(entry.id(), Ok(())));
            metrics.sent(output.successful().len());
            for entry in output.failed() {
                metrics.failed(1, code_type(entry.code()));
                let why = anyhow!("SNS rejected the message: {}", entry.code());
                let is_fault_of_sns = !entry.sender_fault() || is_unavailable_code(entry.code());
                settle(Some(entry.id()), Err(failed(why, is_fault_of_sns)));
            }
        }
        Err(error) => {
            metrics.failed(count, error_type(&error));
            let unavailable = is_unavailable(&error);
            let why = format!("{:#}", anyhow!(error.into_service_error()));
            for id in 0..BATCH_MAX_MESSAGES {
                let why = anyhow!("publishing failed: {why}");
                settle(Some(&id.to_string()), Err(failed(why, unavailable)));
            }
        }
    }
}

fn failed(why: anyhow::Error, unavailable: bool) -> anyhow::Error {
    if unavailable { Unavailable::new(why).into() } else { why }
}

impl Message {
    fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + value.size());
        self.body.len() + attributes.sum::<usize>()
    }

    fn entry(self, id: usize, fifo: bool) -> PublishBatchRequestEntry {
        let attributes = self.attributes.into_iter();
        PublishBatchRequestEntry::builder()
            .id(id.to_string())
            .message(self.body)
            .set_message_attributes(Some(
                attributes.map(|(name, value)| (name.to_owned(), value.into_sdk())).collect(),
            ))
            .message_group_id(self.group)
            .set_message_deduplication_id(fifo.then_some(self.deduplication_id))
            .build()
            .expect("the entry has an id and a message")
    }
}

impl Attribute {
    const TEXT: &str = "String";
    const NUMBER: &str = "Number";

    fn size(&self) -> usize {
        match self {
            Self::Text(value) => Self::TEXT.len() + value.len(),
            Self::Number(value) => Self::NUMBER.len() + value.len(),
        }
    }

    fn into_sdk(self) -> MessageAttributeValue {
        let (kind, value) = match self {
            Self::Text(value) => (Self::TEXT, value),
            Self::Number(value) => (Self::NUMBER, value),
        };
        MessageAttributeValue::builder()
            .data_type(kind)
            .string_value(value)
            .build()
            .expect("the attribute has a type")
    }
}
