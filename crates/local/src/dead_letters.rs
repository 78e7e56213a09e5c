//! Dead letters: what no try could handle, and the ways back.
//!
//! Looking takes nothing away: messages are received and put back at once. Nobody else receives
//! from a dead-letter queue, and it has no dead-letter queue of its own, so the receive that a
//! look adds to their count does no harm.

use std::{collections::HashSet, time::Duration};

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

pub mod command;

mod letter;

#[cfg(test)]
mod tests;

pub use letter::DeadLetter;

/// Long enough to look at many pages; who is killed half-way hides the messages no longer.
const LOOK_VISIBILITY_SECONDS: i32 = 30;
/// Long enough to send and delete ten messages on a slow link.
const MOVE_VISIBILITY_SECONDS: i32 = 60;
/// A long poll, if a short one: it asks every server of the queue, where a wait of 0 asks some.
const RECEIVE_WAIT_SECONDS: i32 = 1;
const BATCH: i32 = 10;

/// The dead-letter queue of a service.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    sqs: Client,
    /// Where the dead letters are.
    pub url: String,
    /// Where they came from, and where a redrive sends them.
    pub source_url: String,
}

/// How a redrive went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// So many were moved.
    Moved(usize),
    /// SQS moves them now, by itself.
    Started,
}

impl DeadLetters {
    /// Those of a queue whose messages came from the queue `source_url`.
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

    /// How many there are, about: those that somebody looks at included.
    ///
    /// # Errors
    ///
    /// If the endpoint does not answer.
    pub async fn count(&self) -> anyhow::Result<usize> {
        let (visible, held) = depth(&self.sqs, &self.url).await?;
        Ok(visible + held)
    }

    /// Looks at all of them, the oldest first, and puts them back.
    ///
    /// # Errors
    ///
    /// If the endpoint does not answer. What was received by then comes back after 30 s.
    pub async fn look(&self) -> anyhow::Result<Vec<DeadLetter>> {
        let (mut letters, mut handles) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        loop {
            let page = self.receive(LOOK_VISIBILITY_SECONDS).await?;
            let known = letters.len();
            handles.extend(page.iter().filter_map(|message| message.receipt_handle.clone()));
            let new = page.iter().map(DeadLetter::read);
            letters.extend(new.filter(|letter| seen.insert(letter.message_id.clone())));
            // Nothing but known messages: the first ones are visible again.
            if letters.len() == known {
                break;
            }
        }
        self.put_back(&handles).await?;
        letters.sort_by_key(|letter| letter.sent_at_ms);
        Ok(letters)
    }

    /// Sends them back to where they came from: by SQS itself where the endpoint can, else one by
    /// one. One is deleted only after it was sent, so being killed half-way may double a message,
    /// and never loses one.
    ///
    /// What arrives while this runs stays, or a poison message would go round for ever.
    ///
    /// # Errors
    ///
    /// If the endpoint does not answer. What was moved by then stays moved.
    pub async fn redrive(&self) -> anyhow::Result<Redriven> {
        if self.start_move_task().await? {
            return Ok(Redriven::Started);
        }
        let (expected, _) = depth(&self.sqs, &self.url).await?;
        let mut moved = 0;
        while moved < expected {
            let page = self.receive(MOVE_VISIBILITY_SECONDS).await?;
            if page.is_empty() {
                break;
            }
            for message in page {
                self.send_back(message).await?;
                moved += 1;
            }
        }
        Ok(Redriven::Moved(moved))
    }

    /// Deletes all of them, for good.
    ///
    /// # Errors
    ///
    /// If the endpoint refuses; SQS purges a queue once in 60 s.
    pub async fn purge(&self) -> anyhow::Result<()> {
        let purge = self.sqs.purge_queue().queue_url(&self.url).send().await;
        purge.context("purging the dead-letter queue")?;
        Ok(())
    }

    /// Whether the endpoint moves the messages by itself.
    async fn start_move_task(&self) -> anyhow::Result<bool> {
        let attributes = attributes(&self.sqs, &self.url, QueueAttributeName::QueueArn).await?;
        let arn = attributes.get(&QueueAttributeName::QueueArn);
        let task = self.sqs.start_message_move_task();
        match task.set_source_arn(arn.cloned()).send().await {
            Ok(_) => Ok(true),
            // Endpoints of a laptop say in many ways that they lack it; and if this was another
            // failure, the calls that follow will meet it too.
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
            .context("deleting a dead letter that was sent back: it will come twice")?;
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

/// How many messages of a queue are visible or delayed, and how many are held by somebody.
///
/// # Errors
///
/// If the endpoint does not answer.
pub async fn depth(sqs: &Client, url: &str) -> anyhow::Result<(usize, usize)> {
    let attributes = attributes(sqs, url, QueueAttributeName::All).await?;
    let read = |name| {
        let value = attributes.get(&name).with_context(|| format!("no {name}"));
        value.and_then(|value| value.parse::<usize>().context("no number"))
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
    let urls = listed.context("listing the queues")?.queue_urls;
    match urls.unwrap_or_default().as_slice() {
        [] => Ok(None),
        [url] => Ok(Some(url.clone())),
        several => bail!("{} queues have names that begin with {name}", several.len()),
    }
}

/// How long ago `at_ms` was, a moment in milliseconds since 1970.
fn age(at_ms: u64) -> Duration {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().saturating_sub(Duration::from_millis(at_ms))
}
