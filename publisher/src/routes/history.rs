//! The events about an order, as SNS sent them.

use std::collections::BTreeMap;

use archive::Event;
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use orders::{order::OrderId, timeline::rfc3339};
use pubsub::notification::Notification;
use serde::Serialize;
use web::{Audience, Problem, site::answer};

use super::{app::App, order::Id};

/// `GET /orders/{id}/history`: its events, the oldest first.
pub async fn show(State(app): State<App>, audience: Audience, id: Id) -> Result<Response, Problem> {
    let Path(order_id) = id.map_err(|_| Problem::not_found())?;
    let archive = app.events.ok_or_else(Problem::not_found)?;
    let events = archive.of_order(&order_id.to_string()).await.map_err(Problem::unavailable)?;
    let is_kept = events.is_some();
    let events = events.iter().flatten().map(Sent::of).collect();
    answer(audience, &History { order_id, is_kept, events })
}

#[derive(Serialize, Template)]
#[template(path = "history.html")]
struct History {
    order_id: OrderId,
    /// Whether a history is kept at all.
    is_kept: bool,
    events: Vec<Sent>,
}

#[derive(Serialize)]
struct Sent {
    id: String,
    /// RFC 3339.
    at: String,
    topic: Option<String>,
    attributes: BTreeMap<String, String>,
    message: String,
}

impl Sent {
    fn of(event: &Event) -> Self {
        let Notification { topic, attributes, message, .. } = event.notification();
        let (id, at) = (event.id.to_string(), rfc3339(event.id.at()));
        Self { id, at, topic, attributes, message }
    }
}
