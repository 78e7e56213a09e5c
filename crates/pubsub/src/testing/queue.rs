//! An SQS queue in memory.
//!
//! It implements what SQS documents: visibility timeouts, receive counts, a new receipt handle for
//! each receive, long polls, message groups, and the move to the dead-letter queue at the receive
//! that exceeds the limit. It uses tokio's time, so that a test can pause it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

pub const RECEIVE: &str = "ReceiveMessage";
pub const DELETE: &str = "DeleteMessageBatch";
pub const CHANGE: &str = "ChangeMessageVisibilityBatch";
pub const ATTRIBUTES: &str = "GetQueueAttributes";

/// The queue's attributes.
pub const VISIBILITY: Duration = Duration::from_secs(60);
pub const MAX_RECEIVES: u32 = 10;

/// A queue. Clones are the same queue.
#[derive(Clone, Default)]
pub struct Queue {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

/// The messages of a queue, and what became of those that left it.
#[derive(Default)]
pub struct State {
    /// In the order in which they were sent.
    pub messages: Vec<Message>,
    pub dead: Vec<(String, Instant)>,
    pub deleted: Vec<(String, Instant)>,
    pub receives: HashMap<String, u32>,
    pub no_dead_letter_queue: bool,
    handles: usize,
}

/// A message in a queue.
pub struct Message {
    pub id: String,
    pub body: String,
    /// Messages of a group are received in order, and none while one of them is in flight.
    pub group: Option<String>,
    pub receives: u32,
    pub handle: String,
    pub visible_at: Instant,
    /// The next receive returns it twice.
    pub twice: bool,
}

impl Message {
    pub fn new(id: String, body: String, group: Option<String>) -> Self {
        let (receives, handle, twice) = (0, String::new(), false);
        Self { id, body, group, receives, handle, visible_at: Instant::now(), twice }
    }
}

impl Queue {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes long polls, and those who wait for a message to leave.
    pub fn changed(&self) {
        self.changed.notify_waiters();
    }

    pub fn send(&self, message: Message) {
        self.state().messages.push(message);
        self.changed();
    }

    /// Waits until a message is no longer in the queue. True if it was deleted, false if it was
    /// moved to the dead-letter queue.
    pub async fn until_gone(&self, id: &str) -> bool {
        loop {
            let changed = self.changed.notified();
            {
                let state = self.state();
                if state.messages.iter().all(|message| message.id != id) {
                    return state.deleted.iter().any(|(deleted, _)| deleted == id);
                }
            }
            changed.await;
        }
    }

    /// The answer of SQS to a call. With `partially`, every second entry of a batch fails.
    pub async fn execute(&self, operation: &str, request: &Value, partially: bool) -> Value {
        match operation {
            RECEIVE => self.receive(request).await,
            DELETE => self.each_entry(request, partially, State::delete),
            CHANGE => self.each_entry(request, partially, State::change),
            ATTRIBUTES => self.attributes(),
            other => json!({"__type": format!("{other} is not implemented")}),
        }
    }

    fn attributes(&self) -> Value {
        let visibility = VISIBILITY.as_secs().to_string();
        let mut attributes = BTreeMap::from([("VisibilityTimeout", visibility)]);
        if !self.state().no_dead_letter_queue {
            let policy = json!({"maxReceiveCount": MAX_RECEIVES}).to_string();
            attributes.insert("RedrivePolicy", policy);
        }
        json!({"Attributes": attributes})
    }

    async fn receive(&self, request: &Value) -> Value {
        let number = |name: &str| request[name].as_u64().unwrap_or_default();
        let max = usize::try_from(number("MaxNumberOfMessages")).unwrap_or(1);
        let seconds = |name| Duration::from_secs(number(name));
        let until = Instant::now() + seconds("WaitTimeSeconds");
        loop {
            let changed = self.changed.notified();
            let (messages, next, moved) = self.state().receive(max, seconds("VisibilityTimeout"));
            if moved {
                self.changed();
            }
            if !messages.is_empty() {
                return json!({ "Messages": messages });
            }
            if Instant::now() >= until {
                return json!({});
            }
            let wake = next.map_or(until, |next| next.min(until));
            let _ = timeout_at(wake, changed).await;
        }
    }

    fn each_entry(
        &self,
        request: &Value,
        partially: bool,
        apply: fn(&mut State, &Value) -> Result<(), &'static str>,
    ) -> Value {
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for (index, entry) in request["Entries"].as_array().into_iter().flatten().enumerate() {
            let outcome = if partially && index % 2 == 1 {
                Err("InternalError")
            } else {
                apply(&mut self.state(), entry)
            };
            match outcome {
                Ok(()) => done.push(json!({"Id": entry["Id"]})),
                Err(code) => {
                    failed.push(json!({"Id": entry["Id"], "Code": code, "SenderFault": false}));
                }
            }
        }
        self.changed();
        json!({"Successful": done, "Failed": failed})
    }
}

impl State {
    /// A new receipt handle.
    pub fn handle(&mut self, id: &str) -> String {
        self.handles += 1;
        format!("{id}-{}", self.handles)
    }

    /// The received messages, when the next message becomes visible, and whether messages were
    /// moved to the dead-letter queue.
    fn receive(&mut self, max: usize, visibility: Duration) -> (Vec<Value>, Option<Instant>, bool) {
        let now = Instant::now();
        let in_flight = self.messages.iter().filter(|it| it.visible_at > now);
        let blocked: HashSet<_> = in_flight.filter_map(|it| it.group.clone()).collect();
        let is_free = |it: &Message| {
            it.visible_at <= now && it.group.as_ref().is_none_or(|group| !blocked.contains(group))
        };
        let (dead, kept) =
            std::mem::take(&mut self.messages).into_iter().partition::<Vec<_>, _>(|it| {
                is_free(it) && it.receives >= MAX_RECEIVES && !self.no_dead_letter_queue
            });
        self.messages = kept;
        let moved = !dead.is_empty();
        self.dead.extend(dead.into_iter().map(|it| (it.id, now)));
        let mut received = Vec::new();
        for index in 0..self.messages.len() {
            if !is_free(&self.messages[index]) || received.len() >= max {
                continue;
            }
            let copies = if std::mem::take(&mut self.messages[index].twice) { 2 } else { 1 };
            self.messages[index].receives += 1;
            self.messages[index].visible_at = now + visibility;
            for _ in 0..copies {
                let id = self.messages[index].id.clone();
                let handle = self.handle(&id);
                self.messages[index].handle = handle;
                received.push(self.messages[index].received());
            }
            let Message { id, receives, .. } = &self.messages[index];
            self.receives.insert(id.clone(), *receives);
        }
        let next = self.messages.iter().map(|it| it.visible_at);
        (received, next.filter(|at| *at > now).min(), moved)
    }

    /// Like SQS, reports success for an older receipt handle without deleting.
    fn delete(&mut self, entry: &Value) -> Result<(), &'static str> {
        let found = (self.messages.iter()).position(|it| entry["ReceiptHandle"] == *it.handle);
        if let Some(index) = found {
            let message = self.messages.remove(index);
            self.deleted.push((message.id, Instant::now()));
        }
        Ok(())
    }

    fn change(&mut self, entry: &Value) -> Result<(), &'static str> {
        let now = Instant::now();
        let held = (self.messages.iter_mut())
            .find(|it| entry["ReceiptHandle"] == *it.handle && it.visible_at > now)
            .ok_or("ReceiptHandleIsInvalid")?;
        let seconds = entry["VisibilityTimeout"].as_u64().unwrap_or_default();
        held.visible_at = now + Duration::from_secs(seconds);
        Ok(())
    }
}

impl Message {
    fn received(&self) -> Value {
        let mut attributes =
            BTreeMap::from([("ApproximateReceiveCount", self.receives.to_string())]);
        attributes.extend(self.group.clone().map(|group| ("MessageGroupId", group)));
        json!({
            "MessageId": self.id,
            "ReceiptHandle": self.handle,
            "Body": self.body,
            "Attributes": attributes,
        })
    }
}
