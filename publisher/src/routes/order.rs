//! One order: its page, its JSON, and both kept current by server-sent events.

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
    response::Response,
};
use orders::{
    order::{Order, OrderId},
    timeline::{Timeline, clock, rfc3339},
};
use pubsub::trace;
use serde::Serialize;
use web::{Audience, Client, Problem, live, site::answer, watch::Watched as _};

use super::app::App;
use crate::orders_table::PlacedOrder;

pub type Id = Result<Path<OrderId>, PathRejection>;

/// `GET /orders/{id}`: the order, as a page or as JSON.
pub async fn show(State(app): State<App>, audience: Audience, id: Id) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| Problem::not_found())?;
    let found = app.orders.get(id).await.map_err(Problem::unavailable)?;
    let mut view = OrderView::of(&found.ok_or_else(Problem::not_found)?);
    view.has_history = app.events.is_some();
    let trace = app.traces.zip(view.trace_id.as_ref());
    view.trace_url = trace.map(|(url, id)| url.replace("{trace}", id));
    answer(audience, &view)
}

/// `GET /orders/{id}/events`: the order as it is, and again after each change, until it is settled.
pub async fn events(
    State(app): State<App>,
    headers: HeaderMap,
    client: Client,
    id: Id,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| Problem::not_found())?;
    live::events(&app.live.watchers, id, &headers, client, OrderView::of).await
}

/// An order as it is shown.
#[derive(Serialize, Template)]
#[template(path = "order.html")]
pub struct OrderView {
    #[serde(flatten)]
    pub order: Order,
    /// RFC 3339.
    pub placed_at: String,
    pub version: u64,
    /// To find the order in the logs and in the traces.
    trace_id: Option<String>,
    /// Where a person sees the trace.
    #[serde(skip)]
    trace_url: Option<String>,
    #[serde(flatten)]
    pub timeline: Timeline,
    /// Whether no further change is expected.
    #[serde(skip)]
    pub is_settled: bool,
    /// Whether there is a page of its events.
    #[serde(skip)]
    has_history: bool,
}

impl OrderView {
    pub fn of(placed: &PlacedOrder) -> Self {
        let trace_id = placed.traceparent.as_deref().and_then(trace::trace_id);
        Self {
            order: placed.order.clone(),
            placed_at: rfc3339(placed.placed_at),
            trace_url: None,
            version: placed.version,
            trace_id: trace_id.map(|id| id.to_string()),
            timeline: placed.timeline(),
            is_settled: placed.is_settled(),
            has_history: false,
        }
    }

    /// The day it was placed.
    pub fn day(&self) -> &str {
        self.placed_at.split('T').next().unwrap_or_default()
    }

    /// The time it was placed, to the second.
    pub fn time(&self) -> &str {
        clock(&self.placed_at).split('.').next().unwrap_or_default()
    }
}
