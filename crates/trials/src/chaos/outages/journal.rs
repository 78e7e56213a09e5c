//! Reads the services' log lines as they come: which orders they finished, and when the breaker of
//! a worker opened or closed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use local::process::Line;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::ledger::Ledger;

/// What fulfilment and promotion log when they have finished an order.
const FINISHED: [&str; 2] = ["order fulfilled", "coupon granted"];
const OPEN: &str = "dependencies are unavailable; not receiving";
/// It was closed, or its process is a new one.
const CLOSED: [&str; 2] = ["dependencies are available again", " starts"];

/// The states of the breakers so far.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<Switch>>>);

/// A breaker opened or closed.
#[derive(Clone, Debug)]
pub struct Switch {
    /// When.
    pub at: Instant,
    /// Of which service.
    pub service: String,
    /// Whether it is open now.
    pub is_open: bool,
}

impl Journal {
    /// A journal, and the channel for lines, which are passed on to `lines`.
    pub fn keep(
        ledger: Arc<Ledger>,
        lines: UnboundedSender<Line>,
    ) -> (Self, UnboundedSender<Line>) {
        let journal = Self::default();
        let (sender, mut received) = unbounded_channel::<Line>();
        let kept = journal.clone();
        tokio::spawn(async move {
            while let Some(line) = received.recv().await {
                kept.read(&line, &ledger);
                let _ = lines.send(line);
            }
        });
        (journal, sender)
    }

    /// What the breakers did so far.
    pub fn switches(&self) -> Vec<Switch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn read(&self, line: &Line, ledger: &Ledger) {
        let text = &line.text;
        if let Some(worker) = FINISHED.iter().position(|it| text.contains(it)) {
            let id = text.split_whitespace().find_map(|word| word.strip_prefix("order.id="));
            id.into_iter().for_each(|id| ledger.logged(worker, id));
        }
        let is_open = if text.contains(OPEN) {
            true
        } else if CLOSED.iter().any(|it| text.contains(it)) {
            false
        } else {
            return;
        };
        let switch = Switch { at: Instant::now(), service: line.service.clone(), is_open };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(switch);
    }
}
