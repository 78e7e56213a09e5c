//! Watches a cell from outside: which orders are done, how deep the queues are, and how soon the
//! publisher answers its health check.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use reqwest::Client;
use tokio::{task::JoinSet, time::interval};

use super::ledger::{Counts, Ledger};
use crate::chaos::{arena::Arena, quiet, shown::Shown};

/// The resolution of the time to catch up, and of the plot.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// So few orders are looked at even if no worker says that they are done.
const FEW: usize = 200;
/// The most keys that `DynamoDB` reads in one call.
const BATCH: usize = 100;
const PING_EVERY: Duration = Duration::from_millis(250);
/// A load balancer waits for as long; see the publisher's manifest.
pub const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What was seen at one time.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// The orders so far.
    pub orders: Counts,
    /// The messages in all queues, visible or in flight.
    pub messages: usize,
}

/// What is watched. Dropping it ends the watch.
pub struct Watch {
    seen: Arc<Seen>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    samples: Mutex<Vec<Sample>>,
    worst_ping: Mutex<Duration>,
}

impl Watch {
    /// Begins to watch; `publisher` is the URL of a publisher that is not killed.
    pub fn start(arena: &Arc<Arena>, ledger: &Arc<Ledger>, publisher: String) -> Self {
        let seen = Arc::new(Seen::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(ping(publisher, Arc::clone(&seen)));
        let (arena, ledger, samples) = (Arc::clone(arena), Arc::clone(ledger), Arc::clone(&seen));
        tasks.spawn(async move {
            let mut ticks = interval(LOOK_EVERY);
            loop {
                ticks.tick().await;
                match sample(&arena, &ledger).await {
                    Ok(sample) => samples.add(sample),
                    Err(error) => tracing::warn!(error = format!("{error:#}"), "cannot look"),
                }
            }
        });
        Self { seen, _tasks: tasks }
    }

    /// What was seen so far.
    pub fn samples(&self) -> Vec<Sample> {
        self.seen.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The longest time that the publisher took to answer `/ping`.
    pub fn worst_ping(&self) -> Duration {
        *self.seen.worst_ping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn add(&self, sample: Sample) {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
    }
}

async fn ping(url: String, seen: Arc<Seen>) {
    let client = Client::new();
    let mut ticks = interval(PING_EVERY);
    loop {
        ticks.tick().await;
        let asked = Instant::now();
        let answer = client.get(format!("{url}/ping")).timeout(PING_TIMEOUT).send().await;
        let is_healthy = answer.is_ok_and(|answer| answer.status().is_success());
        let took = if is_healthy { asked.elapsed() } else { PING_TIMEOUT };
        let mut worst = seen.worst_ping.lock().unwrap_or_else(PoisonError::into_inner);
        *worst = took.max(*worst);
    }
}

async fn sample(arena: &Arena, ledger: &Ledger) -> anyhow::Result<Sample> {
    look(arena, ledger).await?;
    let messages = quiet::waiting(arena).await?;
    Ok(Sample { at: Instant::now(), orders: ledger.counts(), messages })
}

/// Reads orders that may have become done.
pub async fn look(arena: &Arena, ledger: &Ledger) -> anyhow::Result<()> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&arena.aws);
    let table = arena.table("publisher", "ORDERS_TABLE_NAME")?;
    for ids in ledger.pending(FEW).chunks(BATCH) {
        let key = |id: &String| HashMap::from([("id".to_owned(), AttributeValue::S(id.clone()))]);
        let keys = KeysAndAttributes::builder().set_keys(Some(ids.iter().map(key).collect()));
        let read = dynamodb.batch_get_item().request_items(table, keys.build()?).send().await;
        let found = read.context("reading orders")?.responses.unwrap_or_default();
        let mut shown = Shown::default();
        for item in found.values().flatten() {
            shown.add(item)?;
        }
        ledger.seen(&shown);
    }
    Ok(())
}
