//! Groups deletes and releases into batches of ten: SQS bills each call.

use std::{future::Future, time::Duration};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::queue::BATCH;

/// How many calls may be in progress at once. Further messages wait and keep their permits, which
/// bounds how much is received while deletes fail.
const MAX_CALLS: usize = 50;

/// Calls `work` with batches of `items`. Returns when all senders are dropped and all work is done.
///
/// A batch is complete when it has ten items, or `linger` after its first item.
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
            Ok(0) | Err(_) => break,
        }
    }
    Some(batch)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_waits_for_more_has_ten_items_at_most() {
        let (items, waiting) = mpsc::channel(100);
        let batches = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&batches);
        let batching = tokio::spawn(in_batches(waiting, Duration::from_millis(10), move |batch| {
            seen.lock().unwrap().push(batch);
            std::future::ready(())
        }));
        items.send(0).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        for item in 1..16 {
            items.send(item).await.unwrap();
        }
        drop(items);
        batching.await.unwrap();
        let expected = [Vec::from_iter(0..10), Vec::from_iter(10..16)];
        assert_eq!(*batches.lock().unwrap(), expected);
    }
}
