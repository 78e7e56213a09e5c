//! Waits until nothing moves any more, and sends dead letters round again.

use std::time::{Duration, Instant};

use anyhow::ensure;
use aws_sdk_dynamodb::types::Select;
use local::dead_letters::depth;

use super::{Stage, pause};

/// After so long without quiet something is stuck.
const PATIENCE: Duration = Duration::from_secs(600);
const TELL_EVERY: Duration = Duration::from_secs(10);
/// A message that faults kept from being handled goes round so often, at most.
const MAX_ROUNDS: usize = 5;

/// Waits until the outbox and all queues are empty; returns how many dead letters were redriven.
///
/// A try that a crash or a lost answer used up counts towards the dead-letter queue, as on AWS. So
/// a message may be there although nothing is wrong with it: it is not lost, and is redriven.
pub async fn wait(stage: &Stage) -> anyhow::Result<usize> {
    let mut redriven = 0;
    for _ in 0..MAX_ROUNDS {
        settle(stage).await?;
        let moved = redrive(stage).await?;
        if moved == 0 {
            return Ok(redriven);
        }
        redriven += moved;
    }
    Ok(redriven)
}

async fn settle(stage: &Stage) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut tell_at = Instant::now() + TELL_EVERY;
    let mut quiet_looks = 0;
    // Two looks: a message on its way from the outbox to a queue is in neither for a moment.
    while quiet_looks < 2 {
        let (unannounced, waiting) = (unannounced(stage).await?, waiting(stage).await?);
        quiet_looks = if unannounced + waiting == 0 { quiet_looks + 1 } else { 0 };
        let what_moves = format!("{unannounced} orders to announce, {waiting} messages to handle");
        ensure!(Instant::now() < deadline, "no quiet: still {what_moves}");
        if Instant::now() >= tell_at {
            println!("{what_moves}");
            tell_at += TELL_EVERY;
        }
        pause().await;
    }
    Ok(())
}

async fn unannounced(stage: &Stage) -> anyhow::Result<usize> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&stage.target.config().await);
    let mut pages = dynamodb
        .scan()
        .table_name(stage.table("publisher", "ORDERS_TABLE_NAME")?)
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

async fn waiting(stage: &Stage) -> anyhow::Result<usize> {
    let sqs = aws_sdk_sqs::Client::new(&stage.target.config().await);
    let mut waiting = 0;
    for queue in stage.account.services.iter().filter_map(|service| service.queue.as_ref()) {
        let (visible, held) = depth(&sqs, &queue.url).await?;
        waiting += visible + held;
    }
    Ok(waiting)
}

/// How many dead letters there are.
pub async fn dead_letters(stage: &Stage) -> anyhow::Result<usize> {
    let mut count = 0;
    for letters in stage.dead_letters().await {
        count += letters.count().await?;
    }
    Ok(count)
}

/// Sends every dead letter back to its queue; returns how many there were.
async fn redrive(stage: &Stage) -> anyhow::Result<usize> {
    let count = dead_letters(stage).await?;
    for letters in stage.dead_letters().await {
        letters.redrive().await?;
    }
    Ok(count)
}
