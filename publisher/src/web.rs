//! The publisher's web pages and its API.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::header::CONTENT_TYPE,
    middleware::from_fn,
    response::IntoResponse,
    routing::{get, post},
};
use pubsub::{order::Order, topic::Topic};
use tokio::sync::mpsc;

use crate::orders_table::{OrdersTable, PlacedOrder, Stored};

mod form;

mod api;

mod ping;

mod audience;

mod guard;

mod problem;

#[cfg(test)]
mod tests;

use problem::Problem;

/// The largest body of a request, in bytes: a form has a few hundred.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    /// Where orders are stored.
    pub orders: OrdersTable,
    /// Where stored orders go to be announced.
    pub fresh: mpsc::Sender<Order>,
    /// The topic `ping`.
    pub ping: Topic,
}

/// Every page and every operation.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/", get(form::show).post(form::submit))
        .route("/orders", post(api::create))
        .route("/orders/{id}", get(api::show))
        .route("/ping", get(ping::answer).post(ping::publish))
        .route("/assets/style.css", get(style))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(guard::refuse_other_sites))
        .layer(from_fn(audience::tell_problems))
        .layer(from_fn(guard::add_security_headers))
        .with_state(app)
}

impl App {
    /// Accepts an order: from here on it will be announced, whatever happens.
    async fn place(&self, order: &Order) -> Result<(PlacedOrder, Arrival), Problem> {
        match self.orders.store(order).await.map_err(Problem::out_of_reach)? {
            Stored::New(placed) => {
                tracing::info!(order.id = %order.id, amount = %order.amount, "order stored");
                // If too many wait already, the outbox finds this one in its index.
                let _ = self.fresh.try_send(order.clone());
                Ok((placed, Arrival::First))
            }
            Stored::Again(placed) => Ok((placed, Arrival::Again)),
            Stored::Taken => Err(Problem::taken(order.id)),
        }
    }
}

/// Whether a request placed an order, or came again after it was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    First,
    Again,
}

async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../assets/style.css"))
}
