//! The publisher's web pages and its API.

use ::flow::Flow;
use askama::Template;
use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    http::{Method, StatusCode, header},
    middleware::{from_fn, from_fn_with_state, map_response},
    response::{Html, IntoResponse as _, Response},
    routing::{MethodRouter, get, post},
};
use pubsub::{
    order::{Order, OrderId},
    topic::Topic,
};
use serde::Serialize;
use tokio::sync::mpsc;
use web::{
    Audience, Problem,
    audience::{ProblemFormat, negotiate_problems},
    guard,
    spans::traced,
};

use crate::{
    live::Live,
    orders_table::{OrdersTable, PlacedOrder, Stored},
};

mod form;

mod api;

mod order;

mod latest;

mod flow;

mod ping;

#[cfg(test)]
mod tests;

/// The largest body of a request, in bytes: a form has a few hundred.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    /// Where orders are stored.
    pub orders: OrdersTable,
    /// Where stored orders go to be announced.
    pub fresh: mpsc::Sender<PlacedOrder>,
    /// The topic `ping`.
    pub ping: Topic,
    /// The orders that somebody looks at.
    pub live: Live,
    /// The picture of how orders flow.
    pub flow: Flow,
}

/// Every page and every operation.
pub fn router(app: App) -> Router {
    let format = ProblemFormat { page: problem_page, programs_only: (Method::POST, "/orders") };
    Router::new()
        .route("/", get(form::show).post(form::submit))
        .route("/orders", get(latest::list).post(api::create))
        .route("/orders/{id}", get(order::show))
        .route("/orders/{id}/events", get(order::events))
        .route("/flow", get(flow::show))
        .route("/ping", post(ping::publish))
        .route("/assets/style.css", asset("text/css", include_str!("../assets/style.css")))
        .route("/assets/icon.svg", asset("image/svg+xml", include_str!("../assets/icon.svg")))
        .route("/assets/order.js", asset("text/javascript", include_str!("../assets/order.js")))
        .route("/assets/flow.js", asset("text/javascript", include_str!("../assets/flow.js")))
        .route_layer(from_fn(traced))
        // The load balancer asks all the time, and a span for each answer would tell nothing.
        .route("/ping", get(ping::answer))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(guard::refuse_other_sites())
        .layer(from_fn_with_state(format, negotiate_problems))
        .layer(map_response(guard::add_security_headers))
        .with_state(app)
}

impl App {
    /// Accepts an order: from here on it will be announced, whatever happens.
    async fn place(&self, order: &Order) -> Result<(PlacedOrder, Arrival), Problem> {
        match self.orders.store(order).await.map_err(Problem::unavailable)? {
            Stored::New(placed) => {
                tracing::info!(order.id = %order.id, amount = %order.amount, "order stored");
                // If too many wait already, the outbox finds this one in its index.
                let _ = self.fresh.try_send(placed.clone());
                Ok((placed, Arrival::First))
            }
            Stored::Again(placed) => Ok((placed, Arrival::Again)),
            Stored::Taken => Err(taken(order.id)),
        }
    }
}

/// Whether a request placed an order, or came again after it was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    First,
    Again,
}

fn taken(id: OrderId) -> Problem {
    let detail = "Another order was sent with this id before; nothing was changed.";
    let mut problem = Problem::new(StatusCode::CONFLICT, detail);
    problem.see = Some(format!("/orders/{id}"));
    problem
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    problem: &'a Problem,
}

fn problem_page(problem: &Problem) -> Response {
    let page = ProblemPage { problem }.render();
    page.map_or_else(|error| Problem::internal(error).json(), |it| Html(it).into_response())
}

/// What is shown to both: a page for a browser, JSON for a program. It is of this moment.
fn answer(audience: Audience, view: &(impl Template + Serialize)) -> Result<Response, Problem> {
    let body = match audience {
        Audience::Program => Json(view).into_response(),
        Audience::Browser => Html(view.render().map_err(Problem::internal)?).into_response(),
    };
    Ok(([(header::CACHE_CONTROL, "no-cache")], body).into_response())
}

fn asset(media_type: &'static str, text: &'static str) -> MethodRouter<App> {
    get(
        move || async move { ([(header::CONTENT_TYPE, format!("{media_type}; charset=utf-8"))], text) },
    )
}
