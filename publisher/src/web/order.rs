//! One order: its page, its JSON, and both kept current by server-sent events.

use std::{convert::Infallible, time::Duration};

use askama::Template;
use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{
        Html, IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::StreamExt as _;
use pubsub::{
    order::{Order, OrderId},
    trace,
};
use serde::Serialize;
use web_service::{Audience, Problem, watch::Unseen};

use super::App;
use crate::{
    orders_table::PlacedOrder,
    timeline::{Timeline, clock, rfc3339},
};

const LAST_EVENT_ID: &str = "last-event-id";
/// When a browser comes back after the connection ended.
const RETRY: Duration = Duration::from_millis(2_000);
/// Below the time after which load balancers drop a connection that says nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

type Id = Result<Path<OrderId>, PathRejection>;

/// `GET /orders/{id}`: the order, as a page or as JSON.
pub async fn show(State(app): State<App>, audience: Audience, id: Id) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| Problem::not_found())?;
    let found = app.orders.get(id).await.map_err(Problem::out_of_reach)?;
    let order = OrderView::of(&found.ok_or_else(Problem::not_found)?);
    let body = match audience {
        Audience::Program => Json(order).into_response(),
        Audience::Browser => {
            Html(OrderPage { order }.render().map_err(Problem::internal)?).into_response()
        }
    };
    Ok(([(header::CACHE_CONTROL, "no-cache")], body).into_response())
}

/// `GET /orders/{id}/events`: the order as it is, and again whenever it changes, until nothing is to
/// come any more. The id of an event is the order's version.
pub async fn events(
    State(app): State<App>,
    headers: HeaderMap,
    id: Id,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| Problem::not_found())?;
    let known = headers.get(LAST_EVENT_ID).and_then(|it| it.to_str().ok()?.parse().ok());
    let view = app.live.view(id, known).await.map_err(|unseen| match unseen {
        Unseen::TooMany => {
            let detail = "Too many are looking at orders just now. Try again in a moment.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
        Unseen::Unreadable(error) => Problem::out_of_reach(error),
    })?;
    let states = view.ok_or_else(Problem::not_found)?;
    let events = states.map(|placed| {
        let event = Event::default().id(placed.version.to_string()).retry(RETRY);
        // An order has only text and numbers in it.
        Ok::<_, Infallible>(event.json_data(OrderView::of(&placed)).unwrap_or_default())
    });
    let unbuffered = [
        (header::CACHE_CONTROL, "no-cache, no-transform"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok((unbuffered, Sse::new(events).keep_alive(keep_alive)).into_response())
}

/// An order as it is shown.
#[derive(Serialize)]
pub struct OrderView {
    #[serde(flatten)]
    pub order: Order,
    /// RFC 3339.
    pub placed_at: String,
    pub version: u64,
    /// Finds the order in the logs and in the traces.
    trace_id: Option<String>,
    #[serde(flatten)]
    pub timeline: Timeline,
}

impl OrderView {
    pub fn of(placed: &PlacedOrder) -> Self {
        let trace_id = placed.traceparent.as_deref().and_then(trace::trace_id);
        Self {
            order: placed.order.clone(),
            placed_at: rfc3339(placed.placed_at),
            version: placed.version,
            trace_id: trace_id.map(|id| id.to_string()),
            timeline: Timeline::of(placed),
        }
    }

    /// The day on which it was placed.
    pub fn day(&self) -> &str {
        self.placed_at.split('T').next().unwrap_or_default()
    }

    /// The time at which it was placed, to the second.
    pub fn time(&self) -> &str {
        clock(&self.placed_at).split('.').next().unwrap_or_default()
    }
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    order: OrderView,
}
