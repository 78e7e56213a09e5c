//! Sends dead letters back, and empties queues.

use anyhow::Context as _;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};

use crate::app::App;

/// Long enough to send and delete ten messages.
const HIDDEN_SECONDS: i32 = 60;
const BATCH: i32 = 10;
/// A receive that has to wait finds nothing: the queue is in this process.
const WAIT_SECONDS: i32 = 0;

/// Sends the messages of a dead-letter queue back to the queue that they came from. Each is deleted
/// after it was sent, so an interruption may duplicate a message and never loses one. Those that
/// arrive meanwhile stay, or a poison message would be sent back for ever.
pub async fn redrive(app: &App, letters: &str) -> anyhow::Result<String> {
    let queues = app.sources.ledger.as_ref().context("the account is not in this process")?;
    let queues = queues.queues();
    let source = queues.iter().find(|(_, queue)| queue.dead_letters.as_deref() == Some(letters));
    let (source, _) = source.with_context(|| format!("{letters} has no dead letters"))?;
    let (from, to) = (url(app, letters).await?, url(app, source).await?);
    let expected = visible(app, &from).await?;
    let mut moved = 0;
    while moved < expected {
        let receive = app.sqs.receive_message().queue_url(&from).message_attribute_names("All");
        let receive = receive.max_number_of_messages(BATCH).wait_time_seconds(WAIT_SECONDS);
        let receive = receive.visibility_timeout(HIDDEN_SECONDS);
        let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
        let received = receive.send().await.context("receiving dead letters")?;
        let messages = received.messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            send_back(app, message, &from, &to).await?;
            moved += 1;
        }
    }
    Ok(format!("{moved} sent back to {source}."))
}

/// Deletes all messages of a queue.
pub async fn purge(app: &App, queue: &str) -> anyhow::Result<String> {
    let purge = app.sqs.purge_queue().queue_url(url(app, queue).await?);
    purge.send().await.context("purging the queue")?;
    Ok(format!("{queue} is empty."))
}

async fn send_back(app: &App, message: Message, from: &str, to: &str) -> anyhow::Result<()> {
    let send = app.sqs.send_message().queue_url(to).set_message_body(message.body);
    let send = send.set_message_attributes(message.message_attributes);
    send.send().await.context("sending a dead letter back")?;
    let delete = app.sqs.delete_message().queue_url(from);
    let delete = delete.set_receipt_handle(message.receipt_handle).send().await;
    delete.context("deleting a dead letter that was sent back: it is duplicated")?;
    Ok(())
}

async fn visible(app: &App, url: &str) -> anyhow::Result<usize> {
    let name = aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessages;
    let get = app.sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone());
    let attributes = get.send().await.context("counting dead letters")?.attributes;
    let count = attributes.and_then(|mut it| it.remove(&name));
    Ok(count.and_then(|it| it.parse().ok()).unwrap_or_default())
}

async fn url(app: &App, queue: &str) -> anyhow::Result<String> {
    let found = app.sqs.get_queue_url().queue_name(queue).send().await;
    let found = found.with_context(|| format!("there is no queue {queue}"))?;
    found.queue_url.context("a queue without a URL")
}
