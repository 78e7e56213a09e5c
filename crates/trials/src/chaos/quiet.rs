//! Waits until all queues are empty, and redrives dead letters.

use std::time::{Duration, Instant};

use account::dead_letters::depth;
use anyhow::ensure;
use aws_sdk_dynamodb::types::Select;
use tokio::time::sleep;

use super::arena::Arena;

/// If the queues are not empty by then, something is stuck.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);
/// How often dead letters are redriven, at most.
const MAX_ROUNDS: usize = 5;

/// Waits until the outbox and all queues are empty; returns the number of dead letters redriven.
///
/// As on AWS, an attempt that was cut short by a crash or a lost answer counts towards the
/// dead-letter queue. So a message can end up there although it can be handled: it is not lost, and
/// is redriven.
pub async fn wait(arena: &Arena) -> anyhow::Result<usize> {
    let mut redriven = 0;
    for _ in 0..MAX_ROUNDS {
        settle(arena).await?;
        let moved = redrive(arena).await?;
        if moved == 0 {
            return Ok(redriven);
        }
        redriven += moved;
    }
    Ok(redriven)
}

async fn settle(arena: &Arena) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut progress_at = Instant::now() + PROGRESS_INTERVAL;
    let mut empty_looks = 0;
    // Two looks: on its way from the outbox to a queue, a message is in neither for a moment.
    while empty_looks < 2 {
        let (unannounced, waiting) = left(arena).await?;
        empty_looks = if unannounced + waiting == 0 { empty_looks + 1 } else { 0 };
        let left = format!("{unannounced} orders to announce, {waiting} messages to handle");
        ensure!(Instant::now() < deadline, "after {} s still {left}", PATIENCE.as_secs());
        if Instant::now() >= progress_at {
            println!("{left}");
            progress_at += PROGRESS_INTERVAL;
        }
        sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

/// How many orders are not announced, and how many messages are in the queues.
pub async fn left(arena: &Arena) -> anyhow::Result<(usize, usize)> {
    Ok((unannounced(arena).await?, waiting(arena).await?))
}

async fn unannounced(arena: &Arena) -> anyhow::Result<usize> {
    let mut pages = aws_sdk_dynamodb::Client::new(&arena.aws)
        .scan()
        .table_name(arena.table("publisher", "ORDERS_TABLE_NAME")?)
        .filter_expression("attribute_exists(outbox)")
        .select(Select::Count)
        .into_paginator()
        .send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        count += usize::try_from(page?.count)?;
    }
    Ok(count)
}

/// The number of messages in all queues, visible or in flight.
pub async fn waiting(arena: &Arena) -> anyhow::Result<usize> {
    let sqs = aws_sdk_sqs::Client::new(&arena.aws);
    let mut waiting = 0;
    for queue in arena.queues() {
        let (visible, in_flight) = depth(&sqs, &queue.url).await?;
        waiting += visible + in_flight;
    }
    Ok(waiting)
}

/// The number of dead letters: messages in any queue that is not received from, those too that a
/// queue refused.
pub async fn dead_letters(arena: &Arena) -> anyhow::Result<usize> {
    let sqs = aws_sdk_sqs::Client::new(&arena.aws);
    let is_received =
        |url: &String| *url == arena.audit_queue || arena.queues().any(|queue| queue.url == *url);
    let queues = sqs.list_queues().send().await?.queue_urls.unwrap_or_default();
    anyhow::ensure!(!queues.is_empty(), "SQS lists no queues");
    let mut count = 0;
    for url in queues.iter().filter(|url| !is_received(url)) {
        let (visible, in_flight) = depth(&sqs, url).await?;
        count += visible + in_flight;
    }
    Ok(count)
}

/// Sends every dead letter back to its queue; returns how many there were.
async fn redrive(arena: &Arena) -> anyhow::Result<usize> {
    let mut count = 0;
    for letters in arena.dead_letters() {
        count += letters.count().await?;
        letters.redrive().await?;
    }
    Ok(count)
}
