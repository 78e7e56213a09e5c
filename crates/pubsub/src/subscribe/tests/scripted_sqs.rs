//! An SQS queue in memory with fault injection. It replaces the SDK's HTTP client.

use std::{
    collections::HashMap,
    fmt,
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::testing::{
    config,
    queue::{Message, Queue, VISIBILITY},
};

/// A way to misbehave.
#[derive(Clone, Copy)]
pub enum Fault {
    /// Never responds.
    Silent,
    /// Responds with `AccessDenied`.
    Denied,
    /// Responds with a server error.
    Broken,
    /// Executes the call and responds after this delay.
    Late(Duration),
    /// Reports an error for every second entry of a batch, and executes the others.
    EverySecondEntry,
}

#[derive(Clone, Default)]
pub struct ScriptedSqs {
    queue: Queue,
    script: Arc<Mutex<Script>>,
    /// Cancelled when the process that uses this connection is killed.
    killed: CancellationToken,
}

#[derive(Default)]
struct Script {
    calls: HashMap<String, usize>,
    faults: HashMap<&'static str, (usize, Fault)>,
}

impl ScriptedSqs {
    /// The configuration of a client that talks to this queue.
    pub fn config(&self) -> SdkConfig {
        config(self.clone())
    }

    /// The same queue for another process.
    pub fn for_another_process(&self) -> Self {
        Self { killed: CancellationToken::new(), ..self.clone() }
    }

    /// Kills the process: none of its calls takes effect or returns any more.
    pub fn kill(&self) {
        self.killed.cancel();
    }

    /// Sends a message with this id; its body is its id.
    pub fn send(&self, id: &str) {
        self.queue.send(Message::new(id.to_owned(), id.to_owned(), None));
    }

    /// Sends a message of a group; its id and its body are `{group}{number}`.
    pub fn send_in_group(&self, group: &str, number: usize) {
        let id = format!("{group}{number}");
        self.queue.send(Message::new(id.clone(), id, Some(group.to_owned())));
    }

    /// Removes the dead-letter queue: messages are redelivered without limit.
    pub fn remove_dead_letter_queue(&self) {
        self.queue.state().no_dead_letter_queue = true;
    }

    /// Makes the next `times` calls of an operation fail; with `usize::MAX` all, until
    /// [`Self::clear_fault`].
    pub fn inject_fault(&self, operation: &'static str, times: usize, fault: Fault) {
        self.script().faults.insert(operation, (times, fault));
    }

    pub fn clear_fault(&self, operation: &'static str) {
        self.script().faults.remove(operation);
    }

    /// Makes a received message visible again, as SQS may do at any time.
    pub fn redeliver(&self, id: &str) {
        self.change(id, |message, _| message.visible_at = Instant::now());
        self.queue.changed();
    }

    pub fn deliver_twice(&self, id: &str) {
        self.change(id, |message, _| message.twice = true);
    }

    /// Another receiver gets the message.
    pub fn steal(&self, id: &str) {
        self.change(id, |message, handle| {
            message.handle = handle;
            message.visible_at = Instant::now() + VISIBILITY;
        });
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Message, String)) {
        let mut state = self.queue.state();
        let handle = state.handle(id);
        change(state.messages.iter_mut().find(|it| it.id == id).unwrap(), handle);
    }

    /// How many times an operation was called.
    pub fn calls(&self, operation: &str) -> usize {
        *self.script().calls.get(operation).unwrap_or(&0)
    }

    /// How many times a message was received.
    pub fn receives(&self, id: &str) -> u32 {
        *self.queue.state().receives.get(id).unwrap_or(&0)
    }

    pub fn deleted(&self) -> Vec<(String, Instant)> {
        self.queue.state().deleted.clone()
    }

    pub fn dead(&self) -> Vec<(String, Instant)> {
        self.queue.state().dead.clone()
    }

    /// The messages in the queue: id, time until it is visible, number of receives.
    pub fn waiting(&self) -> Vec<(String, Duration, u32)> {
        let now = Instant::now();
        let state = self.queue.state();
        let messages = state.messages.iter();
        messages
            .map(|it| (it.id.clone(), it.visible_at.saturating_duration_since(now), it.receives))
            .collect()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    async fn answer(self, operation: String, request: Value) -> (u16, Value) {
        let fault = self.script().record_call(&operation);
        match fault {
            Some(Fault::Silent) => pending().await,
            Some(Fault::Denied) => (403, json!({"__type": "com.amazonaws.sqs#AccessDenied"})),
            Some(Fault::Broken) => (500, json!({"__type": "com.amazonaws.sqs#InternalError"})),
            Some(Fault::Late(delay)) => {
                let answer = self.queue.execute(&operation, &request, false).await;
                sleep(delay).await;
                (200, answer)
            }
            Some(Fault::EverySecondEntry) => {
                (200, self.queue.execute(&operation, &request, true).await)
            }
            None => (200, self.queue.execute(&operation, &request, false).await),
        }
    }
}

impl Script {
    fn record_call(&mut self, operation: &str) -> Option<Fault> {
        *self.calls.entry(operation.to_owned()).or_default() += 1;
        let (times, fault) = self.faults.get_mut(operation)?;
        *times = times.checked_sub(1)?;
        Some(*fault)
    }
}

impl fmt::Debug for ScriptedSqs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScriptedSqs")
    }
}

impl HttpConnector for ScriptedSqs {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let queue = self.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("X-Amz-Target").unwrap();
            let operation = target.rsplit('.').next().unwrap().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let body = serde_json::from_slice(&body).unwrap();
            let killed = queue.killed.clone();
            let answered = killed.run_until_cancelled(queue.answer(operation, body)).await;
            let Some((status, answer)) = answered else {
                return pending().await;
            };
            let status = status.try_into().unwrap();
            Ok(HttpResponse::new(status, SdkBody::from(answer.to_string())))
        })
    }
}
