//! Replays all events to the workers: once in the middle of everything, and once at the end.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use archive::{Archive, Order};
use jiff::{SignedDuration, Timestamp};
use local::events::{
    replay::Replay,
    selection::{Moment, Selection},
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{arena::Arena, customers::Progress};

/// The workers with effects.
const WORKERS: [&str; 2] = ["fulfilment", "promotion"];
/// As fast as it can.
const RATE: u32 = 1_000_000;

/// What was replayed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replayed {
    /// How many events.
    pub events: usize,
    /// How long that took.
    pub took: Duration,
}

/// Replays the events so far once half of the orders are accepted.
pub async fn halfway(
    arena: &Arena,
    progress: &Arc<Progress>,
    orders: u32,
) -> anyhow::Result<Replayed> {
    while progress.accepted() < orders / 2 {
        sleep(Duration::from_millis(5)).await;
    }
    all(arena).await
}

/// Replays all events that there are, past the faults: an operator's calls do not fail.
pub async fn all(arena: &Arena) -> anyhow::Result<Replayed> {
    let archive = Archive::new(&arena.aws, arena.table("history", "EVENTS_TABLE_NAME")?.to_owned());
    let started = Instant::now();
    let mut events = 0;
    for worker in WORKERS {
        let queue = arena.account.service(worker).and_then(|it| it.queue.as_ref());
        let url = queue.with_context(|| format!("{worker} has no queue"))?.url.clone();
        let replay = Replay::to(&arena.aws, url).await?;
        let hours = Moment(Timestamp::now() - SignedDuration::from_hours(6));
        let selection = Selection { from: Some(hours), ..Selection::default() };
        let mut selected = selection.read(&archive, Order::OldestFirst, None, None).await?;
        let stopped = CancellationToken::new();
        events += replay.run(&mut selected, Some(RATE), &stopped, |_| {}).await?.sent;
    }
    Ok(Replayed { events, took: started.elapsed() })
}
