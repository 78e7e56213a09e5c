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

/// The most memory that the bodies of remembered calls take, and the most calls: those of some
/// 1,500 orders.
const CALLS_MAX_BYTES: usize = 32 << 20;
const MAX_CALLS: usize = 30_000;
/// These name no order, and an idle system makes them all the time.
const NOT_KEPT: [&str; 5] = [
    "SQS.ReceiveMessage",
    "SQS.DeleteMessage",
    "SQS.DeleteMessageBatch",
    "SQS.ChangeMessageVisibility",
    "SQS.ChangeMessageVisibilityBatch",
];

/// The ledger of an account. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    is_on: Arc<AtomicBool>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    queues: BTreeMap<String, Queue>,
    calls: VecDeque<Arc<Made>>,
    bytes: usize,
    /// When the last call came that was forgotten.
    forgotten: Option<SystemTime>,
}

/// When the last ones came that the ledger has forgotten, if it has forgotten any. Those that came
/// later are all there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forgotten {
    /// Messages, in any queue.
    pub messages: Option<SystemTime>,
    /// Calls.
    pub calls: Option<SystemTime>,
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
    /// Such as `SNS.Publish`.
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
        let is_it = |it: &Message| it.id == text || it.body.contains(text);
        let (mut left, mut found) = (Vec::new(), Vec::<(String, Message)>::new());
        for (name, queue) in &self.state().queues {
            left.extend(queue.left().map(|it| (name.clone(), it.clone())));
            let present = queue.messages().filter(|it| is_it(it)).take(limit - found.len());
            found.extend(present.map(|it| (name.clone(), it.clone())));
        }
        // Searching these takes a while, and nobody should wait for it.
        let left = left.into_iter().filter(|(_, it)| is_it(it)).take(limit - found.len());
        found.extend(left.map(|(name, it)| (name, Message::clone(&it))));
        found.sort_by_key(|(_, message)| message.sent());
        found
    }

    /// The calls whose request contains one of these texts, the oldest first. Receives and what
    /// follows from a receipt are not among them.
    pub fn calls(&self, texts: &[&str]) -> Vec<Arc<Made>> {
        // Searching takes a while, and nobody should wait for it.
        let calls: Vec<_> = self.state().calls.iter().cloned().collect();
        let mentions = |it: &Arc<Made>| {
            let body = String::from_utf8_lossy(&it.request);
            texts.iter().any(|text| body.contains(text))
        };
        calls.into_iter().filter(mentions).collect()
    }

    /// Up to when messages and calls were forgotten.
    pub fn forgotten(&self) -> Forgotten {
        let state = self.state();
        let messages = state.queues.values().filter_map(Queue::forgotten).max();
        Forgotten { messages, calls: state.forgotten }
    }

    /// Takes note of a call, unless it is one of those that can name no order.
    pub(crate) fn made(&self, call: Made) {
        if NOT_KEPT.contains(&&*call.name) {
            return;
        }
        let mut state = self.state();
        state.bytes += call.request.len();
        state.calls.push_back(call.into());
        while state.bytes > CALLS_MAX_BYTES || state.calls.len() > MAX_CALLS {
            let Some(oldest) = state.calls.pop_front() else { break };
            state.bytes -= oldest.request.len();
            state.forgotten = state.forgotten.max(Some(oldest.at));
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
