//! Groups single messages into batches: SQS takes ten in one call, and bills the call.

use std::{future::Future, time::Duration};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::queue::BATCH;

/// How many calls may be under way at once. Beyond that the messages wait, and with them their
/// handlers' permits, so that a queue that takes no deletions is not received from without limit.
const MAX_CALLS: usize = 50;

/// Calls `work` for batches of `items`, until all their senders are gone and all work is done.
///
/// A batch starts when it has ten items, or `linger` after its first.
pub async fn in_batches<T, F>(
    mut items: mpsc::Receiver<T>,
    linger: Duration,
    work: impl Fn(Vec<T>) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut calls = JoinSet::new();
    while let Some(batch) = next(&mut items, linger).await {
        while calls.try_join_next().is_some() {}
        if calls.len() >= MAX_CALLS {
            calls.join_next().await;
        }
        calls.spawn(work(batch));
    }
    while calls.join_next().await.is_some() {}
}

async fn next<T>(items: &mut mpsc::Receiver<T>, linger: Duration) -> Option<Vec<T>> {
    let mut batch = Vec::with_capacity(BATCH);
    if items.recv_many(&mut batch, BATCH).await == 0 {
        return None;
    }
    let until = Instant::now() + linger;
    while batch.len() < BATCH {
        let room = BATCH - batch.len();
        match timeout_at(until, items.recv_many(&mut batch, room)).await {
            Ok(1..) => {}
            // No more senders, or no more time.
            Ok(0) | Err(_) => break,
        }
    }
    Some(batch)
}
