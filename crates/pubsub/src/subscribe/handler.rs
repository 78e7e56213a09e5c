//! What a worker does with a message, and the types that it takes messages as.

use std::{
    future::Future,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, anyhow};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use thiserror::Error;

use super::{failure::Failure, metrics::UnknownTypes};
use crate::notification::Notification;

/// Handles messages of the type `E`.
///
/// Functions and closures that take an event and its [`Notification`] are handlers. A type with
/// state implements the trait, usually with an `async fn`.
///
/// A handler may be called again for a message, even after it succeeded, so it has to be
/// idempotent. It runs in a task of its own: a panic counts as [`Failure::Retry`], and its future
/// is dropped at its deadline, if its lease is lost, and if the drain times out. What it has to
/// finish then has to be in a task that it spawns.
pub trait Handler<E>: Send + Sync + 'static {
    /// Handles one message. `notification` is the message as it was received, with its attributes
    /// and the number of the attempt.
    ///
    /// # Errors
    ///
    /// [`Failure::Retry`] if the message should be retried, and [`Failure::Poison`] if that cannot
    /// succeed.
    fn handle(
        &self,
        event: E,
        notification: Notification,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

impl<E, F, H> Handler<E> for H
where
    H: Fn(E, Notification) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Failure>> + Send,
{
    fn handle(
        &self,
        event: E,
        notification: Notification,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        self(event, notification)
    }
}

/// A type that a handler takes messages as.
///
/// [`Json`] reads any type that implements `Deserialize`, `String` is the text of the message,
/// [`Envelope`] is all that SNS sent, and `()` ignores the message. A queue with several types of
/// messages has an `enum`, which looks at the attributes to choose the variant, so that its handler
/// is a `match`.
pub trait FromMessage: Sized + Send + 'static {
    /// Whether it is read from the envelope, which is not kept otherwise.
    const KEEPS_ENVELOPE: bool = false;

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// [`UnknownType`] if it is of a type that this subscriber does not know: then it is
    /// acknowledged. Any other error if it cannot be read: then it is poison, and the error is
    /// logged, so it should not quote the message.
    fn from_message(notification: &Notification) -> anyhow::Result<Self>;
}

/// A message of a type that this subscriber does not know, because a newer producer sends it.
///
/// It is not poison: producers are deployed first, and what a subscriber does not know does not
/// concern it. The message is acknowledged, and such messages are counted in the log.
#[derive(Debug, Error)]
#[error("unknown type {0:?}")]
pub struct UnknownType(pub String);

/// A message that is JSON.
///
/// If it cannot be read, the error has the path of the field, such as `items[2].price`, and the
/// line and column, but no values. Keys of a map are part of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromMessage for Json<T> {
    fn from_message(notification: &Notification) -> anyhow::Result<Self> {
        let mut json = serde_json::Deserializer::from_str(&notification.message);
        let read = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| unreadable(Some(error.path().to_string()), error.inner()))?;
        json.end().map_err(|error| unreadable(None, &error))?;
        Ok(Self(read))
    }
}

/// serde's own error may quote the message, for example the value of the wrong type.
fn unreadable(path: Option<String>, error: &serde_json::Error) -> anyhow::Error {
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        Category::Data => "a field is missing or has a wrong value",
        Category::Eof => "the JSON ends too early",
        Category::Syntax | Category::Io => "not valid JSON",
    };
    let place = format!("line {line} column {column}");
    match path.filter(|path| path != ".") {
        Some(path) => anyhow!("{path}: {what}, at {place}"),
        None => anyhow!("{what}, at {place}"),
    }
}

/// A message as SNS delivered it: the JSON text of the envelope, with the types of the attributes
/// and all that [`Notification`] leaves out.
///
/// Any message that SNS sent can be read as one. Without an envelope it is poison: it was sent to
/// the queue directly, or by raw delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope(pub Arc<str>);

impl FromMessage for Envelope {
    const KEEPS_ENVELOPE: bool = true;

    fn from_message(notification: &Notification) -> anyhow::Result<Self> {
        let envelope = notification.envelope.clone().map(Self);
        envelope.context("it has no envelope, so SNS did not send it, or by raw delivery")
    }
}

impl FromMessage for String {
    fn from_message(notification: &Notification) -> anyhow::Result<Self> {
        Ok(notification.message.clone())
    }
}

impl FromMessage for () {
    fn from_message(_: &Notification) -> anyhow::Result<Self> {
        Ok(())
    }
}

/// A handler of messages that are not read yet.
pub trait Call: Send + Sync + 'static {
    /// As [`FromMessage::KEEPS_ENVELOPE`].
    const KEEPS_ENVELOPE: bool = false;

    fn call(&self, notification: Notification) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Reads messages for a [`Handler`].
pub struct Typed<E, H> {
    handler: H,
    /// How many messages were of a type that is not known.
    unknown: AtomicU64,
    unknown_types: UnknownTypes,
    event: PhantomData<fn(E)>,
}

impl<E, H> Typed<E, H> {
    pub fn new(handler: H) -> Self {
        let (unknown, unknown_types) = (AtomicU64::new(0), UnknownTypes::new());
        Self { handler, unknown, unknown_types, event: PhantomData }
    }

    /// Counts a message of an unknown type. Each power of two is logged, so that a stream of them
    /// does not fill the log.
    fn ignore(&self, notification: &Notification, UnknownType(name): &UnknownType) {
        self.unknown_types.add();
        let count = 1 + self.unknown.fetch_add(1, Ordering::Relaxed);
        if count.is_power_of_two() {
            let id = &notification.message_id;
            tracing::info!(message.id = %id, r#type = name, count, "ignored: unknown type");
        }
    }
}

impl<E: FromMessage, H: Handler<E>> Call for Typed<E, H> {
    const KEEPS_ENVELOPE: bool = E::KEEPS_ENVELOPE;

    async fn call(&self, notification: Notification) -> Result<(), Failure> {
        let event = match E::from_message(&notification) {
            Ok(event) => event,
            Err(error) => match error.downcast_ref::<UnknownType>() {
                Some(unknown) => {
                    self.ignore(&notification, unknown);
                    return Ok(());
                }
                None => return Err(Failure::Poison(error.context("cannot read the message"))),
            },
        };
        self.handler.handle(event, notification).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Parcel {
        owner: String,
        items: Vec<Item>,
        #[serde(default)]
        labels: BTreeMap<String, u32>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Item {
        price: u32,
    }

    fn read(message: &str) -> anyhow::Result<Json<Parcel>> {
        let message = message.to_owned();
        Json::from_message(&Notification { message, ..Notification::default() })
    }

    #[test]
    fn an_unreadable_message_is_described_by_path_and_place_without_its_values() {
        for (message, reason) in [
            (
                r#"{"owner": "Ada", "items": [{"price": 1}, {"price": "Ada Lovelace"}]}"#,
                "items[1].price: a field is missing or has a wrong value, at line 1 column 65",
            ),
            (r#"{"owner": "Ada"}"#, "a field is missing or has a wrong value, at line 1 column 16"),
            (r#"{"owner": "Ada"#, "owner: the JSON ends too early, at line 1 column 14"),
            (r#"{"owner": "Ada", "items": []} Ada"#, "not valid JSON, at line 1 column 31"),
            ("Ada", "not valid JSON, at line 1 column 1"),
        ] {
            assert_eq!(read(message).unwrap_err().to_string(), reason, "{message}");
        }
        assert!(read(r#"{"owner": "Ada", "items": [], "more": 1}"#).is_ok());
    }
}
