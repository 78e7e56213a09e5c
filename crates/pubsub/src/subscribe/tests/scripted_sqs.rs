//! An SQS queue in memory with fault injection. It replaces the SDK's HTTP client.
//!
//! It implements what SQS documents: visibility timeouts, receive counts, a new receipt handle for
//! each receive, long polls, and the move to the dead-letter queue at the receive that exceeds
//! `MAX_RECEIVES`. It uses tokio's time, which the tests pause.

use std::{
    collections::HashMap,
    fmt,
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};

pub const RECEIVE: &str = "ReceiveMessage";
pub const DELETE: &str = "DeleteMessageBatch";
pub const CHANGE: &str = "ChangeMessageVisibilityBatch";
pub const ATTRIBUTES: &str = "GetQueueAttributes";

/// The queue's attributes.
pub const VISIBILITY: Duration = Duration::from_secs(60);
pub const MAX_RECEIVES: u32 = 3;

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
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    messages: Vec<Message>,
    dead: Vec<(String, Instant)>,
    deleted: Vec<(String, Instant)>,
    calls: HashMap<String, usize>,
    faults: HashMap<&'static str, (usize, Fault)>,
    handles: usize,
    receives: HashMap<String, u32>,
    no_dead_letter_queue: bool,
}

struct Message {
    id: String,
    receives: u32,
    handle: String,
    visible_at: Instant,
    /// The next receive returns it twice.
    twice: bool,
}

impl ScriptedSqs {
    /// The configuration of a client that talks to this queue.
    pub fn config(&self) -> SdkConfig {
        let credentials = Credentials::new("id", "secret", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .http_client(self.clone())
            .build()
    }

    /// Sends a message with this id; its body is its id.
    pub fn send(&self, id: &str) {
        self.state().messages.push(Message {
            id: id.to_owned(),
            receives: 0,
            handle: String::new(),
            visible_at: Instant::now(),
            twice: false,
        });
        self.changed.notify_waiters();
    }

    /// Removes the dead-letter queue: messages are redelivered without limit.
    pub fn remove_dead_letter_queue(&self) {
        self.state().no_dead_letter_queue = true;
    }

    /// Makes the next `times` calls of an operation fail; with `usize::MAX` all, until
    /// [`Self::clear_fault`].
    pub fn inject_fault(&self, operation: &'static str, times: usize, fault: Fault) {
        self.state().faults.insert(operation, (times, fault));
    }

    pub fn clear_fault(&self, operation: &'static str) {
        self.state().faults.remove(operation);
    }

    /// Makes a received message visible again, as SQS may do at any time.
    pub fn redeliver(&self, id: &str) {
        self.state().message(id).visible_at = Instant::now();
        self.changed.notify_waiters();
    }

    pub fn deliver_twice(&self, id: &str) {
        self.state().message(id).twice = true;
    }

    /// Another receiver gets the message.
    pub fn steal(&self, id: &str) {
        let mut state = self.state();
        state.handles += 1;
        let handle = format!("stolen-{}", state.handles);
        let message = state.message(id);
        message.handle = handle;
        message.visible_at = Instant::now() + VISIBILITY;
    }

    /// How many times an operation was called.
    pub fn calls(&self, operation: &str) -> usize {
        *self.state().calls.get(operation).unwrap_or(&0)
    }

    /// How many times a message was received.
    pub fn receives(&self, id: &str) -> u32 {
        *self.state().receives.get(id).unwrap_or(&0)
    }

    pub fn deleted(&self) -> Vec<(String, Instant)> {
        self.state().deleted.clone()
    }

    pub fn dead(&self) -> Vec<(String, Instant)> {
        self.state().dead.clone()
    }

    /// The messages in the queue: id, time until it is visible, number of receives.
    pub fn waiting(&self) -> Vec<(String, Duration, u32)> {
        let now = Instant::now();
        let state = self.state();
        let messages = state.messages.iter();
        messages
            .map(|it| (it.id.clone(), it.visible_at.saturating_duration_since(now), it.receives))
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn answer(self, operation: String, request: Value) -> (u16, Value) {
        let fault = self.state().record_call(&operation);
        match fault {
            Some(Fault::Silent) => pending().await,
            Some(Fault::Denied) => (403, json!({"__type": "com.amazonaws.sqs#AccessDenied"})),
            Some(Fault::Broken) => (500, json!({"__type": "com.amazonaws.sqs#InternalError"})),
            Some(Fault::Late(delay)) => {
                let answer = self.execute(&operation, &request, false).await;
                sleep(delay).await;
                (200, answer)
            }
            Some(Fault::EverySecondEntry) => (200, self.execute(&operation, &request, true).await),
            None => (200, self.execute(&operation, &request, false).await),
        }
    }

    async fn execute(&self, operation: &str, request: &Value, partially: bool) -> Value {
        match operation {
            RECEIVE => self.receive(request).await,
            DELETE => self.each_entry(request, partially, State::delete),
            CHANGE => self.each_entry(request, partially, State::change),
            ATTRIBUTES => json!({"Attributes": {
                "VisibilityTimeout": VISIBILITY.as_secs().to_string(),
                "RedrivePolicy": json!({"maxReceiveCount": MAX_RECEIVES}).to_string(),
            }}),
            other => panic!("{other} is not scripted"),
        }
    }

    async fn receive(&self, request: &Value) -> Value {
        let max = usize::try_from(request["MaxNumberOfMessages"].as_u64().unwrap()).unwrap();
        let seconds = |name: &str| Duration::from_secs(request[name].as_u64().unwrap());
        let until = Instant::now() + seconds("WaitTimeSeconds");
        loop {
            let changed = self.changed.notified();
            let (messages, next) = self.state().receive(max, seconds("VisibilityTimeout"));
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
        for (index, entry) in request["Entries"].as_array().unwrap().iter().enumerate() {
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
        self.changed.notify_waiters();
        json!({"Successful": done, "Failed": failed})
    }
}

impl State {
    fn message(&mut self, id: &str) -> &mut Message {
        self.messages.iter_mut().find(|it| it.id == id).unwrap()
    }

    fn record_call(&mut self, operation: &str) -> Option<Fault> {
        *self.calls.entry(operation.to_owned()).or_default() += 1;
        let (times, fault) = self.faults.get_mut(operation)?;
        *times = times.checked_sub(1)?;
        Some(*fault)
    }

    /// The received messages, and when the next message becomes visible.
    fn receive(&mut self, max: usize, visibility: Duration) -> (Vec<Value>, Option<Instant>) {
        let now = Instant::now();
        let (dead, kept) =
            std::mem::take(&mut self.messages).into_iter().partition::<Vec<_>, _>(|it| {
                it.visible_at <= now && it.receives >= MAX_RECEIVES && !self.no_dead_letter_queue
            });
        self.messages = kept;
        self.dead.extend(dead.into_iter().map(|it| (it.id, now)));
        let mut received = Vec::new();
        for message in &mut self.messages {
            if message.visible_at > now || received.len() >= max {
                continue;
            }
            message.receives += 1;
            *self.receives.entry(message.id.clone()).or_default() += 1;
            message.visible_at = now + visibility;
            let copies = if std::mem::take(&mut message.twice) { 2 } else { 1 };
            for _ in 0..copies {
                self.handles += 1;
                message.handle = format!("{}-{}", message.id, self.handles);
                received.push(json!({
                    "MessageId": message.id,
                    "ReceiptHandle": message.handle,
                    "Body": message.id,
                    "Attributes": {"ApproximateReceiveCount": message.receives.to_string()},
                }));
            }
        }
        let next = self.messages.iter().map(|it| it.visible_at);
        (received, next.filter(|at| *at > now).min())
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
        held.visible_at = now + Duration::from_secs(entry["VisibilityTimeout"].as_u64().unwrap());
        Ok(())
    }
}

impl fmt::Debug for ScriptedSqs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScriptedSqs")
    }
}

impl HttpClient for ScriptedSqs {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
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
            let (status, answer) = queue.answer(operation, body).await;
            let status = status.try_into().unwrap();
            Ok(HttpResponse::new(status, SdkBody::from(answer.to_string())))
        })
    }
}
