//! The publisher's pages and its API.

use askama::Template;
use axum::{
    Router,
    http::Method,
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::{get, post},
};
use web::{
    Problem,
    audience::ProblemFormat,
    body,
    gate::limited,
    site::{self, asset},
    spans::traced,
};

mod app;

mod form;

mod api;

mod order;

mod history;

mod latest;

mod flow;

mod ping;

#[cfg(test)]
mod tests;

pub use app::App;

/// The most orders under way at once: each holds a connection to DynamoDB. At some milliseconds
/// each, it is reached only if DynamoDB hangs or the processor is overloaded. So few wait for the
/// processor for a fraction of a second, and do not repeat calls because of that.
pub const MAX_ORDERS: usize = 150;
/// The most other requests to AWS under way at once. They have a limit of their own: readers do not
/// keep orders out.
pub const MAX_REQUESTS: usize = 50;

/// Every page and every operation, and those of `webhooks`.
pub fn router(app: App, webhooks: Router<App>) -> Router {
    let format = ProblemFormat { page: problem_page, programs_only: is_for_programs };
    let limited = from_fn_with_state(app.asking.clone(), limited);
    let routes = Router::new()
        .route("/orders", get(latest::list))
        .route("/orders/{id}", get(order::show))
        .route("/orders/{id}/events", get(order::events))
        .route("/orders/{id}/history", get(history::show))
        .route("/flow", get(flow::show))
        .route("/ping", post(ping::publish))
        .route_layer(limited)
        .merge(webhooks)
        .route("/orders", post(api::create))
        .route("/", get(form::show).post(form::submit))
        .route("/assets/style.css", asset("text/css", include_str!("../assets/style.css")))
        .route("/assets/icon.svg", asset("image/svg+xml", include_str!("../assets/icon.svg")))
        .route("/assets/form.js", asset("text/javascript", include_str!("../assets/form.js")))
        .route("/assets/order.js", asset("text/javascript", include_str!("../assets/order.js")))
        .route("/assets/flow.js", asset("text/javascript", include_str!("../assets/flow.js")))
        .route_layer(from_fn(traced))
        // No span for the load balancer's health check.
        .route("/ping", get(ping::answer))
        .layer(from_fn(body::read));
    site::protected(routes, format).with_state(app)
}

fn is_for_programs(method: &Method, path: &str) -> bool {
    path.starts_with("/webhooks/") || (method == Method::POST && path == "/orders")
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    problem: &'a Problem,
}

fn problem_page(problem: &Problem) -> Response {
    site::problem_page(&ProblemPage { problem })
}
