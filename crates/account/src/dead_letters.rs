//! Dead letters: messages that failed every attempt. They can be looked at, redriven and purged.
//!
//! Showing them removes nothing: messages are received and put back at once. Nobody else receives
//! from a dead-letter queue, and it has no dead-letter queue of its own, so the extra receive is
//! harmless.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use aws_sdk_sqs::{
    Client,
    error::ProvideErrorMetadata as _,
    types::{
        ChangeMessageVisibilityBatchRequestEntry as Visibility, Message,
        MessageSystemAttributeName, QueueAttributeName,
    },
};
use deployment::description::ServiceQueue;

#[cfg(test)]
mod tests;

/// Long enough to read many pages. If this process is killed, the messages are hidden no longer.
const LOOK_VISIBILITY_SECONDS: i32 = 30;
/// After this, what a killed process looked at is visible again.
const LOOK_TIMEOUT: Duration = Duration::from_secs(LOOK_VISIBILITY_SECONDS as u64 + 2);
/// Long enough to send and delete ten messages on a slow link.
const MOVE_VISIBILITY_SECONDS: i32 = 60;
/// Any wait above 0 makes SQS ask all servers of the queue.
const RECEIVE_WAIT_SECONDS: i32 = 1;
const BATCH: i32 = 10;

/// The dead-letter queue of a service.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    sqs: Client,
    /// The dead-letter queue.
    pub url: String,
    /// The queue that they came from, to which a redrive sends them.
    pub source_url: String,
}

/// The outcome of a redrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// Messages were moved.
    Moved {
        /// How many.
        moved: usize,
        /// How many were there too, but in flight to another reader all the time.
        left: usize,
    },
    /// SQS is moving them.
    Started,
}

impl DeadLetters {
    /// The dead letters at `url`, which came from the queue `source_url`.
    pub fn new(sqs: Client, url: String, source_url: String) -> Self {
        Self { sqs, url, source_url }
    }

    /// Those of a service, by the names of its queues (on AWS with a suffix of
    /// `CloudFormation`'s); `None` if it has no dead-letter queue.
    ///
    /// # Errors
    ///
    /// If the endpoint does not answer, or there is more than one queue of that name.
    pub async fn find(sqs: &Client, queue: &ServiceQueue) -> anyhow::Result<Option<Self>> {
        let Some(dead_letters) = &queue.dead_letters else {
            return Ok(None);
        };
        let url = find_queue(sqs, &dead_letters.name).await?;
        let source_url = find_queue(sqs, &queue.queue.name).await?;
        let both = url.zip(source_url);
        Ok(both.map(|(url, source_url)| Self::new(sqs.clone(), url, source_url)))
    }

    /// Approximately how many there are, including those in flight.
    ///
    /// # Errors
    ///
    /// If the endpoint does not answer.
    pub async fn count(&self) -> anyhow::Result<usize> {
        let (visible, held) = self.depth().await?;
        Ok(visible + held)
    }

    /// Approximately how many are visible, and how many are in flight: another reader shows or
    /// moves them.
    ///
    /// # Errors
    ///
    /// If the endpoint does not answer.
    pub async fn depth(&self) -> anyhow::Result<(usize, usize)> {
        depth(&self.sqs, &self.url).await
    }

    /// Receives all of them, each once, and puts them back.
    ///
    /// # Errors
    ///
    /// If the endpoint does not answer. Messages received by then are visible again after 30 s.
    pub async fn look(&self) -> anyhow::Result<Vec<Message>> {
        let (mut letters, mut handles) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        loop {
            let page = self.receive(LOOK_VISIBILITY_SECONDS).await?;
            let known = letters.len();
            handles.extend(page.iter().filter_map(|message| message.receipt_handle.clone()));
            letters.extend(page.into_iter().filter(|it| seen.insert(it.message_id.clone())));
            // Only known messages: the first ones are visible again.
            if letters.len() == known {
                break;
            }
        }
        self.put_back(&handles).await?;
        Ok(letters)
    }

    /// Sends them back to the queue they came from: by SQS itself if the endpoint can, else one by
    /// one. A message is deleted only after it was sent, so an interruption may duplicate a message
    /// but never loses one.
    ///
    /// Messages that arrive meanwhile stay, or a poison message would be redriven forever. Messages
    /// in flight are waited for, for at most as long as [`DeadLetters::look`] hides them.
    ///
    /// # Errors
    ///
    /// If the endpoint does not answer. Messages moved by then stay moved.
    pub async fn redrive(&self) -> anyhow::Result<Redriven> {
        if self.start_move_task().await? {
            return Ok(Redriven::Started);
        }
        let expected = self.count().await?;
        let (mut moved, mut progress) = (0, Instant::now());
        while moved < expected {
            let page = self.receive(MOVE_VISIBILITY_SECONDS).await?;
            if page.is_empty() && (progress.elapsed() > LOOK_TIMEOUT || self.count().await? == 0) {
                break;
            }
            for message in page {
                self.send_back(message).await?;
                moved += 1;
                progress = Instant::now();
            }
        }
        let left = (expected - moved.min(expected)).min(self.count().await?);
        Ok(Redriven::Moved { moved, left })
    }

    /// Deletes all of them.
    ///
    /// # Errors
    ///
    /// If the endpoint refuses. SQS purges a queue at most once in 60 s.
    pub async fn purge(&self) -> anyhow::Result<()> {
        purge(&self.sqs, &self.url).await
    }

    /// Whether the endpoint can move the messages itself, and has started to.
    async fn start_move_task(&self) -> anyhow::Result<bool> {
        let attributes = attributes(&self.sqs, &self.url, QueueAttributeName::QueueArn).await?;
        let arn = attributes.get(&QueueAttributeName::QueueArn);
        let task = self.sqs.start_message_move_task();
        match task.set_source_arn(arn.cloned()).send().await {
            Ok(_) => Ok(true),
            // Local endpoints refuse it in various ways. Any other failure will recur in the calls
            // that follow.
            Err(error) if error.as_service_error().is_some() => {
                tracing::debug!(code = error.code(), "no StartMessageMoveTask here");
                Ok(false)
            }
            Err(error) => Err(error).context("starting to move the messages"),
        }
    }

    async fn send_back(&self, message: Message) -> anyhow::Result<()> {
        let send = self.sqs.send_message().queue_url(&self.source_url);
        send.set_message_body(message.body)
            .set_message_attributes(message.message_attributes)
            .send()
            .await
            .context("sending a dead letter back")?;
        let delete = self.sqs.delete_message().queue_url(&self.url);
        delete
            .set_receipt_handle(message.receipt_handle)
            .send()
            .await
            .context("deleting a dead letter that was sent back: it is duplicated")?;
        Ok(())
    }

    async fn receive(&self, visibility_seconds: i32) -> anyhow::Result<Vec<Message>> {
        let receive = self.sqs.receive_message().queue_url(&self.url);
        let received = receive
            .max_number_of_messages(BATCH)
            .wait_time_seconds(RECEIVE_WAIT_SECONDS)
            .visibility_timeout(visibility_seconds)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_attribute_names("All")
            .send()
            .await
            .context("receiving dead letters")?;
        Ok(received.messages.unwrap_or_default())
    }

    async fn put_back(&self, handles: &[String]) -> anyhow::Result<()> {
        for handles in handles.chunks(10) {
            let entries = (handles.iter().enumerate()).map(|(index, handle)| {
                let entry = Visibility::builder().id(index.to_string());
                entry.receipt_handle(handle).visibility_timeout(0).build()
            });
            let entries = entries.collect::<Result<_, _>>()?;
            let batch = self.sqs.change_message_visibility_batch();
            let batch = batch.queue_url(&self.url).set_entries(Some(entries));
            batch.send().await.context("putting dead letters back")?;
        }
        Ok(())
    }
}

/// Deletes all messages of a queue.
///
/// # Errors
///
/// If the endpoint refuses.
pub async fn purge(sqs: &Client, url: &str) -> anyhow::Result<()> {
    sqs.purge_queue().queue_url(url).send().await.with_context(|| format!("purging {url}"))?;
    Ok(())
}

/// How many messages of a queue are visible or delayed, and how many are in flight.
///
/// # Errors
///
/// If the endpoint does not answer.
pub async fn depth(sqs: &Client, url: &str) -> anyhow::Result<(usize, usize)> {
    let attributes = attributes(sqs, url, QueueAttributeName::All).await?;
    let read = |name| {
        let value = attributes.get(&name).with_context(|| format!("no {name}"));
        value.and_then(|value| value.parse::<usize>().context("not a number"))
    };
    Ok((
        read(QueueAttributeName::ApproximateNumberOfMessages)?
            + read(QueueAttributeName::ApproximateNumberOfMessagesDelayed).unwrap_or(0),
        read(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)?,
    ))
}

type Attributes = std::collections::HashMap<QueueAttributeName, String>;

async fn attributes(
    sqs: &Client,
    url: &str,
    name: QueueAttributeName,
) -> anyhow::Result<Attributes> {
    let request = sqs.get_queue_attributes().queue_url(url);
    let answer = request.attribute_names(name).send().await;
    let answer = answer.with_context(|| format!("reading the attributes of {url}"))?;
    Ok(answer.attributes.unwrap_or_default())
}

async fn find_queue(sqs: &Client, name: &str) -> anyhow::Result<Option<String>> {
    let listed = sqs.list_queues().queue_name_prefix(name).send().await;
    let mut urls = listed.context("listing the queues")?.queue_urls.unwrap_or_default();
    // Another queue's name may begin like this one; a suffix follows a hyphen, `.fifo` a name.
    urls.retain(|url| {
        let found = url.rsplit('/').next().unwrap_or_default();
        found.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
    });
    match urls.as_slice() {
        [] => Ok(None),
        [url] => Ok(Some(url.clone())),
        several => bail!("{} queues are named {name} and a suffix", several.len()),
    }
}
