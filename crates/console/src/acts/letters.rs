//! Sends dead letters back, and empties queues.

use account::dead_letters::{self, DeadLetters, Redriven};
use anyhow::Context as _;

use crate::app::App;

/// Sends the messages of a dead-letter queue back to the queue that they came from.
pub async fn redrive(app: &App, letters: &str) -> anyhow::Result<String> {
    let queues = app.sources.ledger.as_ref().context("the account is not in this process")?;
    let queues = queues.queues();
    let source = queues.iter().find(|(_, queue)| queue.dead_letters.as_deref() == Some(letters));
    let (source, _) = source.with_context(|| format!("{letters} has no dead letters"))?;
    let (from, to) = (url(app, letters).await?, url(app, source).await?);
    Ok(match DeadLetters::new(app.sqs.clone(), from, to).redrive().await? {
        Redriven::Moved { moved, left: 0 } => format!("{moved} sent back to {source}."),
        Redriven::Moved { moved, left } => {
            format!("{moved} sent back to {source}; {left} are in flight.")
        }
        Redriven::Started => format!("SQS sends them back to {source}."),
    })
}

/// Deletes all messages of a queue.
pub async fn purge(app: &App, queue: &str) -> anyhow::Result<String> {
    dead_letters::purge(&app.sqs, &url(app, queue).await?).await?;
    Ok(format!("{queue} is empty."))
}

async fn url(app: &App, queue: &str) -> anyhow::Result<String> {
    let found = app.sqs.get_queue_url().queue_name(queue).send().await;
    let found = found.with_context(|| format!("there is no queue {queue}"))?;
    found.queue_url.context("a queue without a URL")
}
