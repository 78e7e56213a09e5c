//! Tests of a handler without AWS: the real runtime on a queue and topics in memory.
//!
//! ```
//! use pubsub::{notification::Notification, subscribe::{Failure, Json}};
//! use pubsub::testing::{Attempt, TestAccount, message};
//!
//! #[derive(serde::Deserialize)]
//! struct Greeting { name: String }
//!
//! async fn greet(Json(greeting): Json<Greeting>, _: Notification) -> Result<(), Failure> {
//!     println!("Hello, {}!", greeting.name);
//!     Ok(())
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
//! #     .block_on(async {
//! let account = TestAccount::default();
//! let worker = account.start(greet).await;
//! let delivered = worker.deliver(message(r#"{"name": "Ada"}"#)).await;
//! assert_eq!((delivered.attempts, delivered.acknowledged), (vec![Attempt::Succeeded], true));
//! let poison = "cannot read the message: name: a field is missing or has a wrong value, \
//!     at line 1 column 10";
//! let delivered = worker.deliver(message(r#"{"name": 7}"#)).await;
//! assert_eq!(delivered.attempts, [Attempt::Poison(poison.to_owned())]);
//! # });
//! ```
//!
//! With `#[tokio::test(start_paused = true)]`, back-offs and timeouts take no time.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::{DateTime, body::SdkBody};
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    notification::Notification,
    subscribe::{Call, Failure, FromMessage, Handler, Settings, Typed, subscribe_untyped},
    topic::{Attribute, Message, Topic},
};

pub(crate) mod queue;

mod topics;

#[cfg(test)]
mod tests;

use queue::Queue;
use topics::Topics;

const TOPIC_ARN: &str = "arn:aws:sns:eu-west-1:123456789012:";
const QUEUE_URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/queue";

/// A queue and topics in memory. Clones are the same account.
///
/// The queue has a visibility timeout of 60 s, and a dead-letter queue after ten receives.
#[derive(Clone, Default)]
pub struct TestAccount {
    queue: Queue,
    topics: Topics,
    sent: Arc<AtomicU64>,
}

/// A worker that runs until it is dropped.
pub struct TestWorker {
    account: TestAccount,
    attempts: Attempts,
    _running: JoinSet<anyhow::Result<()>>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// How each call of the handler ended.
    pub attempts: Vec<Attempt>,
    /// Whether the message was deleted from the queue. If not, it is in the dead-letter queue.
    pub acknowledged: bool,
}

/// How a call of a handler ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// With `Ok`.
    Succeeded,
    /// With [`Failure::Unavailable`], for this reason.
    Unavailable(String),
    /// With [`Failure::Retry`], for this reason.
    Retry(String),
    /// With [`Failure::Poison`], for this reason. The handler is not called if the message could
    /// not be read.
    Poison(String),
    /// By a panic, at its deadline, or because its lease was lost.
    Aborted,
}

/// A message with this text, without attributes.
pub fn message(body: &str) -> Message {
    let (group, deduplication_id) = ("group".to_owned(), body.to_owned());
    Message { body: body.to_owned(), attributes: Vec::new(), group, deduplication_id }
}

impl TestAccount {
    /// A topic of the account, for publishing.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn topic(&self, name: &str) -> Topic {
        Topic::new(&config(self.clone()), format!("{TOPIC_ARN}{name}"))
    }

    /// What was published to a topic, in the order of publishing.
    pub fn published(&self, topic: &str) -> Vec<Notification> {
        self.topics.published(topic)
    }

    /// The next `times` requests to SNS fail.
    pub fn fail_publishing(&self, times: usize) {
        self.topics.fail(times);
    }

    /// Starts a worker on the account's queue.
    pub async fn start<E: FromMessage>(&self, handler: impl Handler<E>) -> TestWorker {
        let attempts = Attempts::default();
        let handler = Recorded { handler: Typed::new(handler), attempts: attempts.clone() };
        let (aws, shutdown) = (config(self.clone()), CancellationToken::new());
        let mut running = JoinSet::new();
        let settings = Settings::new(QUEUE_URL.to_owned());
        running.spawn(async move { subscribe_untyped(&aws, settings, shutdown, handler).await });
        TestWorker { account: self.clone(), attempts, _running: running }
    }
}

impl TestWorker {
    /// Puts a message into the queue, as SNS would, and waits until it has left the queue.
    pub async fn deliver(&self, message: Message) -> Delivered {
        let number = self.account.sent.fetch_add(1, Ordering::Relaxed);
        let id = format!("00000000-0000-7000-8000-{number:012}");
        let body = envelope(&id, message);
        self.account.queue.send(queue::Message::new(id.clone(), body, None));
        let acknowledged = self.account.queue.until_gone(&id).await;
        let attempts = self.attempts.lock().remove(&id).unwrap_or_default();
        Delivered { attempts, acknowledged }
    }
}

/// The body of a queue's message that SNS delivered.
fn envelope(id: &str, message: Message) -> String {
    let attributes = message.attributes.into_iter().map(|(name, value)| {
        let (kind, value) = match value {
            Attribute::Text(value) => ("String", value),
            Attribute::Number(value) => ("Number", value),
        };
        (name.to_owned(), json!({"Type": kind, "Value": value}))
    });
    json!({
        "Type": "Notification",
        "MessageId": id,
        "TopicArn": format!("{TOPIC_ARN}topic"),
        "Timestamp": DateTime::from(SystemTime::now()).to_string(),
        "Message": message.body,
        "MessageAttributes": attributes.collect::<serde_json::Map<_, _>>(),
    })
    .to_string()
}

/// The attempts by message id.
#[derive(Clone, Default)]
struct Attempts(Arc<Mutex<HashMap<String, Vec<Attempt>>>>);

impl Attempts {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Attempt>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handler whose attempts are recorded.
struct Recorded<H> {
    handler: H,
    attempts: Attempts,
}

/// Records an attempt when it ends, even if that is because its future is dropped.
struct Recording {
    attempts: Attempts,
    id: String,
    attempt: Attempt,
}

impl<H: Call> Call for Recorded<H> {
    const KEEPS_ENVELOPE: bool = H::KEEPS_ENVELOPE;

    async fn call(&self, notification: Notification) -> Result<(), Failure> {
        let (attempts, id) = (self.attempts.clone(), notification.message_id.clone());
        let mut recording = Recording { attempts, id, attempt: Attempt::Aborted };
        let outcome = self.handler.call(notification).await;
        recording.attempt = match &outcome {
            Ok(()) => Attempt::Succeeded,
            Err(Failure::Unavailable(reason)) => Attempt::Unavailable(format!("{reason:#}")),
            Err(Failure::Retry(reason)) => Attempt::Retry(format!("{reason:#}")),
            Err(Failure::Poison(reason)) => Attempt::Poison(format!("{reason:#}")),
        };
        outcome
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let attempt = std::mem::replace(&mut self.attempt, Attempt::Aborted);
        self.attempts.lock().entry(self.id.clone()).or_default().push(attempt);
    }
}

/// A configuration whose requests go to `http`.
pub(crate) fn config(http: impl HttpConnector + Clone + 'static) -> SdkConfig {
    let http = http_client_fn(move |_, _| SharedHttpConnector::new(http.clone()));
    let credentials = Credentials::new("id", "secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .http_client(http)
        .build()
}

impl fmt::Debug for TestAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestAccount")
    }
}

impl HttpConnector for TestAccount {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let account = self.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("X-Amz-Target");
            let operation = target.and_then(|target| target.rsplit('.').next()).map(str::to_owned);
            let body = request.into_body().collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            let (status, answer) = match operation {
                Some(operation) => {
                    let request = serde_json::from_slice(&body).unwrap_or_default();
                    let answer = account.queue.execute(&operation, &request, false).await;
                    (200, answer.to_string())
                }
                None => account.topics.answer(&body),
            };
            let status = status.try_into().expect("the status is in range");
            Ok(HttpResponse::new(status, SdkBody::from(answer)))
        })
    }
}
