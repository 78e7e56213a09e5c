//! What happens in the account: the messages in its queues, and the calls that it answers.
//!
//! SQS has no way to look at a message without receiving it, and a receive hides the message and
//! counts as an attempt. The ledger takes note of what goes in and out instead, so looking touches
//! nothing. It begins when somebody first asks for it, and keeps a bounded number of messages and
//! calls.
//!
//! SQS moves a message to the dead-letter queue when it is about to be received once too often,
//! and tells nobody. So the ledger draws that conclusion itself, at the next receive.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use hyper::body::Bytes;
use serde_json::Value as Json;

mod message;
mod note;
mod queue;

#[cfg(test)]
mod tests;

pub use message::{Message, Moment};
pub use queue::{Queue, Rate};

use queue::name;

/// The most memory that the bodies of remembered calls take, and the most calls.
const CALLS_MAX_BYTES: usize = 16 << 20;
const MAX_CALLS: usize = 20_000;

/// The ledger of an account. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    is_on: Arc<AtomicBool>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    queues: BTreeMap<String, Queue>,
    calls: VecDeque<Made>,
    bytes: usize,
}

/// A call of a service that the account answered.
#[derive(Clone, Debug)]
pub struct Made {
    /// When it came.
    pub at: SystemTime,
    /// How long the answer took.
    pub took: Duration,
    /// The name of the service's role.
    pub caller: String,
    /// Such as `SQS.ReceiveMessage`.
    pub name: String,
    /// The status of the answer.
    pub status: u16,
    /// The body of the request.
    pub request: Bytes,
}

impl Ledger {
    /// Begins to take note.
    pub fn begin(&self) {
        self.is_on.store(true, Ordering::Relaxed);
    }

    /// Whether it takes note.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// The queues by name, without their messages.
    pub fn queues(&self) -> BTreeMap<String, Queue> {
        let state = self.state();
        state.queues.iter().map(|(name, queue)| (name.clone(), queue.outline())).collect()
    }

    /// The first `limit` messages that are in a queue, the oldest first.
    pub fn messages(&self, queue: &str, limit: usize) -> Vec<Message> {
        let state = self.state();
        let queue = state.queues.get(queue);
        queue.map(|it| it.messages().take(limit).cloned().collect()).unwrap_or_default()
    }

    /// The messages, past and present, whose id is `text` or whose body has it, by their queues.
    pub fn find(&self, text: &str, limit: usize) -> Vec<(String, Message)> {
        let state = self.state();
        let all = state
            .queues
            .iter()
            .flat_map(|(name, queue)| queue.all().map(move |message| (name, message)));
        let found = all.filter(|(_, it)| it.id == text || it.body.contains(text)).take(limit);
        let mut found: Vec<_> = found.map(|(name, it)| (name.clone(), it.clone())).collect();
        found.sort_by_key(|(_, message)| message.sent());
        found
    }

    /// The calls whose request contains one of these texts, the oldest first.
    pub fn calls(&self, texts: &[&str]) -> Vec<Made> {
        // Searching takes a while, and nobody should wait for it.
        let calls: Vec<_> = self.state().calls.iter().cloned().collect();
        let mentions = |it: &Made| {
            let body = String::from_utf8_lossy(&it.request);
            texts.iter().any(|text| body.contains(text))
        };
        calls.into_iter().filter(mentions).collect()
    }

    /// Takes note of a call.
    pub(crate) fn made(&self, call: Made) {
        let mut state = self.state();
        state.bytes += call.request.len();
        state.calls.push_back(call);
        while state.bytes > CALLS_MAX_BYTES || state.calls.len() > MAX_CALLS {
            let Some(oldest) = state.calls.pop_front() else { break };
            state.bytes -= oldest.request.len();
        }
    }

    /// Takes note of a message that was put into a queue, whose URL or ARN this is.
    pub(crate) fn sent(&self, queue: &str, id: &str, body: &str, delay: Duration) {
        let at = SystemTime::now();
        let mut state = self.state();
        let queue = state.queues.entry(name(queue)).or_default();
        queue.insert(Message::new(id, body, at, at + delay));
    }

    /// Whether it takes note of this operation of SQS.
    pub(crate) fn notes(&self, operation: &str) -> bool {
        self.is_on() || note::SETTINGS.contains(&operation)
    }

    /// Takes note of a call of SQS that succeeded.
    pub(crate) fn note(&self, operation: &str, request: &[u8], answer: &[u8]) {
        let read = |text| serde_json::from_slice::<Json>(text).unwrap_or_default();
        let (request, answer) = (read(request), read(answer));
        note::note(&mut self.state().queues, operation, &request, &answer);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
