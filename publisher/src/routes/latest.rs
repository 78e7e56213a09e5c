//! The latest orders, as a page or as JSON.

use askama::Template;
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::Response,
};
use orders::order::OrderId;
use serde::{Deserialize, Serialize};
use web::{Audience, Problem, site::answer};

use super::{app::App, order::OrderView};

const PAGE_ORDERS: usize = 20;

/// The start of a page.
#[derive(Deserialize)]
pub struct Before {
    before: Option<String>,
}

/// `GET /orders`: the latest orders, newest first; `?before=` is the start of an older page.
pub async fn list(
    State(app): State<App>,
    audience: Audience,
    query: Result<Query<Before>, QueryRejection>,
) -> Result<Response, Problem> {
    let before = query.map_or(Some(String::new()), |Query(Before { before })| before);
    if before.as_deref().is_some_and(|key| !is_key(key)) {
        let detail = "This page does not exist. Start with the latest orders.";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let page = app.orders.latest(before.as_deref(), PAGE_ORDERS).await;
    let page = page.map_err(Problem::unavailable)?;
    let latest = Latest {
        orders: page.orders.iter().map(OrderView::of).collect(),
        next: page.next.map(|key| format!("/orders?before={key}")),
        first: before.is_none(),
    };
    answer(audience, &latest)
}

/// Milliseconds of 13 digits and an order id, as in the index.
fn is_key(text: &str) -> bool {
    text.split_once('-').is_some_and(|(millis, id)| {
        let are_millis = millis.len() == 13 && millis.bytes().all(|byte| byte.is_ascii_digit());
        are_millis && id.parse().is_ok_and(|parsed: OrderId| parsed.to_string() == id)
    })
}

#[derive(Serialize, Template)]
#[template(path = "latest.html")]
struct Latest {
    orders: Vec<OrderView>,
    /// The path of the next page.
    next: Option<String>,
    #[serde(skip)]
    first: bool,
}
