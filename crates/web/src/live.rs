//! Server-sent events of something that is watched.

use std::{convert::Infallible, hash::Hash, time::Duration};

use axum::{
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::StreamExt as _;
use serde::Serialize;

use crate::{
    problem::Problem,
    watch::{Unseen, Watched, Watchers},
};

const LAST_EVENT_ID: &str = "last-event-id";
/// When a browser comes back after the connection ended.
const RETRY: Duration = Duration::from_millis(2_000);
/// Below the time after which load balancers drop a connection that says nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The thing `key` as it is, and again whenever it changes, as `show` shows it. The id of an event
/// is the version, so that a browser that comes back says what it has seen.
///
/// # Errors
///
/// A [`Problem`] if there is no such thing, it cannot be read, or too many look.
pub async fn events<K, V, S>(
    watchers: &Watchers<K, V>,
    key: K,
    headers: &HeaderMap,
    show: impl Fn(&V) -> S + Send + 'static,
) -> Result<Response, Problem>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Watched,
    S: Serialize,
{
    let known = headers.get(LAST_EVENT_ID).and_then(|it| it.to_str().ok()?.parse().ok());
    let view = watchers.view(key, known).await.map_err(|unseen| match unseen {
        Unseen::TooMany => {
            let detail = "Too many are looking just now. Try again in a moment.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
        Unseen::Unreadable(error) => Problem::out_of_reach(error),
    })?;
    let states = view.ok_or_else(Problem::not_found)?;
    let events = states.map(move |value| {
        let event = Event::default().id(value.version().to_string()).retry(RETRY);
        let event = event.json_data(show(&value)).unwrap_or_else(|error| {
            tracing::error!(%error, "a mistake of this program");
            Event::default()
        });
        Ok::<_, Infallible>(event)
    });
    // What is in between should neither keep it nor change it.
    let unbuffered = [
        (header::CACHE_CONTROL, "no-cache, no-transform"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok((unbuffered, Sse::new(events).keep_alive(keep_alive)).into_response())
}
