//! The publisher's pages and its API.

use askama::Template;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, header},
    middleware::{from_fn, from_fn_with_state, map_response},
    response::{Html, IntoResponse as _, Response},
    routing::{MethodRouter, get, post},
};
use web::{
    Problem,
    audience::{ProblemFormat, negotiate_problems},
    guard,
    spans::traced,
};

mod app;

mod form;

mod api;

mod order;

mod latest;

mod flow;

mod ping;

#[cfg(test)]
mod tests;

pub use app::App;

/// The largest body of a request, in bytes: a form has a few hundred.
const MAX_BODY_BYTES: usize = 16 * 1024;

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
        // No span for the load balancer's health check.
        .route("/ping", get(ping::answer))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(guard::refuse_other_sites())
        .layer(from_fn_with_state(format, negotiate_problems))
        .layer(map_response(guard::add_security_headers))
        .with_state(app)
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

fn asset(media_type: &'static str, text: &'static str) -> MethodRouter<App> {
    let content_type = format!("{media_type}; charset=utf-8");
    get(move || async move { ([(header::CONTENT_TYPE, content_type)], text) })
}
