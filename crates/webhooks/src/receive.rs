//! Takes webhooks over HTTP.

use std::sync::LazyLock;

use axum::{
    body::Bytes,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
};
use jiff::Timestamp;
use opentelemetry::{KeyValue, metrics::Counter};
use pubsub::{metrics, trace};
use serde::Deserialize;
use standardwebhooks::Webhook as Key;
use tokio::sync::mpsc;
use web::{Problem, gate::Gate};

use crate::{
    stored::{Stored, Table, Webhook},
    verify::{Sources, verified},
};

const MEDIA_TYPE: &str = "application/json";
/// The longest type of an event, in characters.
const MAX_TYPE: usize = 128;

/// What the handler needs. A clone is cheap.
#[derive(Clone)]
pub struct Receiver {
    /// Who may send.
    pub sources: Sources,
    /// Where webhooks are stored.
    pub table: Table,
    /// The webhooks that are being stored.
    pub gate: Gate,
    /// Where new webhooks go to be announced.
    pub fresh: mpsc::Sender<Webhook>,
}

static RECEIVED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let what = "Webhooks of known sources, by the status they were answered with";
    metrics::counter("webhooks.received", "{webhook}", what)
});

/// `POST /webhooks/{source}`: 202 once the webhook is stored, also if it was stored before.
pub async fn receive(
    State(receiver): State<Receiver>,
    source: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let Path(source) = source.map_err(|_| Problem::not_found())?;
    let keys = receiver.sources.keys(&source).ok_or_else(Problem::not_found)?;
    let answer = receiver.receive(source.clone(), keys, &headers, &body).await;
    let status = answer.as_ref().map_or_else(|problem| problem.status, |status| *status);
    let status = KeyValue::new("status", i64::from(status.as_u16()));
    RECEIVED.add(1, &[KeyValue::new("source", source), status]);
    answer
}

impl Receiver {
    async fn receive(
        &self,
        source: String,
        keys: &[Key],
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<StatusCode, Problem> {
        if !is_json(headers) {
            let detail = format!("Send this as {MEDIA_TYPE}.");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let id = verified(keys, headers, body)?;
        let (event_type, body) = read(body)?;
        // As it is stored.
        let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond());
        let (received_at, traceparent) = (now.map_err(Problem::internal)?, trace::current());
        let webhook = Webhook { source, id, event_type, body, received_at, traceparent };
        let _place = self.gate.enter()?;
        let Webhook { source, id, event_type, .. } = &webhook;
        match self.table.store(&webhook).await.map_err(Problem::unavailable)? {
            Stored::New => {
                tracing::info!(source, webhook.id = id, r#type = event_type, "webhook stored");
                // If the channel is full, the sweep finds the webhook in the index.
                let _ = self.fresh.try_send(webhook);
            }
            Stored::Again => tracing::debug!(source, webhook.id = id, "webhook repeated"),
            // An id is an event. The sender repeats it until it succeeds, however it words it.
            Stored::Changed => {
                tracing::warn!(
                    source,
                    webhook.id = id,
                    "a webhook was repeated with another body: the first one counts"
                );
            }
        }
        Ok(StatusCode::ACCEPTED)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|it| it.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(MEDIA_TYPE)
}

/// The type of an event, and its text.
fn read(body: &[u8]) -> Result<(String, String), Problem> {
    #[derive(Deserialize)]
    struct Event {
        r#type: String,
    }
    let wrong = |detail| Problem::new(StatusCode::BAD_REQUEST, detail);
    let body = str::from_utf8(body).map_err(|_| wrong("The request body is not UTF-8."))?;
    let event = match serde_json::from_str::<Event>(body) {
        // The array of a struct's values is read as the struct.
        Ok(event) if body.trim_start().starts_with('{') => event,
        Err(error) if error.is_syntax() || error.is_eof() => {
            return Err(wrong("The request body is not valid JSON."));
        }
        _ => return Err(wrong_type()),
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !(1..=MAX_TYPE).contains(&event.r#type.len()) || !event.r#type.bytes().all(fits) {
        return Err(wrong_type());
    }
    // SQS takes neither, and JSON no control character but white space: it could not be announced.
    if body.contains(['\u{fffe}', '\u{ffff}']) {
        return Err(wrong("The request body has a character that is none, U+FFFE or U+FFFF."));
    }
    Ok((event.r#type, body.to_owned()))
}

fn wrong_type() -> Problem {
    let what = format!(
        "The request body is an object with a type of 1 to {MAX_TYPE} letters, digits, dots, \
         hyphens and underscores."
    );
    Problem::of_fields([("type", Some(what))])
}
