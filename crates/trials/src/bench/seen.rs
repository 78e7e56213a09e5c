//! What the log lines of the services say about orders.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use local::process::Line;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::usage::allocations;

/// How far each order had got at what time, by the logs of the services.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// When it was announced first.
    pub announced: HashMap<String, Instant>,
    /// When it was fulfilled first.
    pub fulfilled: HashMap<String, Instant>,
    /// When its coupon was granted first.
    pub promoted: HashMap<String, Instant>,
    /// How often each service that has exited allocated memory, if that was counted.
    pub allocations: HashMap<String, u64>,
}

/// What was seen so far.
pub struct Seen(Arc<Mutex<Progress>>);

impl Seen {
    /// Reads lines until there are no more.
    pub fn start(lines: UnboundedReceiver<Line>) -> Self {
        let progress = Arc::new(Mutex::new(Progress::default()));
        tokio::spawn(note(lines, Arc::clone(&progress)));
        Self(progress)
    }

    /// How far each order has got.
    pub fn progress(&self) -> Progress {
        locked(&self.0).clone()
    }

    /// The number of orders that were fulfilled so far.
    pub fn fulfilled_count(&self) -> usize {
        locked(&self.0).fulfilled.len()
    }
}

/// Inserting cannot panic, so the data behind a poisoned lock is right.
fn locked(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn note(mut lines: UnboundedReceiver<Line>, progress: Arc<Mutex<Progress>>) {
    while let Some(Line { service, text }) = lines.recv().await {
        if let Some(calls) = allocations(&text) {
            *locked(&progress).allocations.entry(service).or_default() += calls;
            continue;
        }
        let id = text.split_whitespace().find_map(|word| word.strip_prefix("order.id="));
        let Some(id) = id else { continue };
        let mut progress = locked(&progress);
        let reached = if text.contains("order announced") {
            &mut progress.announced
        } else if text.contains("order fulfilled") {
            &mut progress.fulfilled
        } else if text.contains("coupon granted") {
            &mut progress.promoted
        } else {
            continue;
        };
        reached.entry(id.to_owned()).or_insert_with(Instant::now);
    }
}
