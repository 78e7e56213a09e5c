//! Server-sent events: the state of a watched thing, and each change of it.

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
    client::Client,
    problem::Problem,
    viewers::Reached,
    watch::{NoStream, Watched, Watchers},
};

#[cfg(test)]
mod tests;

const LAST_EVENT_ID: &str = "last-event-id";
/// How long a browser waits before it reconnects.
const RETRY: Duration = Duration::from_millis(2_000);
/// Less than the time after which load balancers close an idle connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Proxies must neither buffer the stream nor change it.
const UNBUFFERED: [(HeaderName, &str); 2] = [
    (header::CACHE_CONTROL, "no-cache, no-transform"),
    (HeaderName::from_static("x-accel-buffering"), "no"),
];

/// Sends the state of the thing `key` to `client`, and again after each change, as `show` presents
/// it.
///
/// The id of an event is the version, so a browser that reconnects names the version that it has
/// seen. If that is the present version of a settled thing, the answer is 204 No Content, which
/// stops a browser from reconnecting ([WHATWG]).
///
/// [WHATWG]: https://html.spec.whatwg.org/multipage/server-sent-events.html
///
/// # Errors
///
/// A [`Problem`] if there is no such thing, it cannot be read, or there are too many viewers.
pub async fn events<K, V, S>(
    watchers: &Watchers<K, V>,
    key: K,
    headers: &HeaderMap,
    client: Client,
    show: impl Fn(&V) -> S + Send + 'static,
) -> Result<Response, Problem>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Watched,
    S: Serialize,
{
    let known = headers.get(LAST_EVENT_ID).and_then(|it| it.to_str().ok()?.parse().ok());
    let states = match watchers.view(key, known, client).await {
        Ok(states) => states,
        Err(NoStream::UpToDate) => {
            return Ok((StatusCode::NO_CONTENT, UNBUFFERED).into_response());
        }
        Err(NoStream::NotFound) => return Err(Problem::not_found()),
        Err(NoStream::TooManyViewers(Reached::InAll)) => {
            let detail = "Too many viewers; try again shortly.";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
        }
        Err(NoStream::TooManyViewers(Reached::OfThisClient)) => {
            let detail = "This client has too many live pages open; close some of them.";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail));
        }
        Err(NoStream::Unreadable(error)) => return Err(Problem::unavailable(error)),
    };
    let events = states.map(move |value| {
        let event = Event::default().id(value.version().to_string()).retry(RETRY);
        let event = event.json_data(show(&value)).unwrap_or_else(|error| {
            tracing::error!(%error, "internal error");
            Event::default()
        });
        Ok::<_, Infallible>(event)
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok((UNBUFFERED, Sse::new(events).keep_alive(keep_alive)).into_response())
}
