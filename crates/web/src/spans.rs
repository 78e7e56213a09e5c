//! A span and a duration for each request.

use std::{sync::LazyLock, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use opentelemetry::{KeyValue, metrics::Histogram};
use pubsub::{
    metrics,
    telemetry::SPANS,
    trace::{self, TRACEPARENT},
};
use tracing::{Instrument as _, field};

/// The name is that of OpenTelemetry's conventions.
static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    metrics::seconds("http.server.request.duration", "How long a request took to answer")
});

/// Records a request as a span, in the trace that its sender names or in a new one, and how long it
/// took as a metric. Names and fields follow OpenTelemetry's [conventions for HTTP].
///
/// [conventions for HTTP]: https://opentelemetry.io/docs/specs/semconv/http/http-spans/
pub async fn traced(path: MatchedPath, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let (method, path) = (method.as_str(), path.as_str());
    let span = tracing::info_span!(
        target: SPANS,
        "request",
        otel.name = format!("{method} {path}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = path,
        http.response.status_code = field::Empty,
    );
    let sender = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    trace::set_parent(&span, sender);
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    span.record("http.response.status_code", status);
    let attributes = [
        KeyValue::new("http.request.method", known(method)),
        KeyValue::new("http.route", path.to_owned()),
        KeyValue::new("http.response.status_code", i64::from(status)),
    ];
    DURATION.record(began.elapsed().as_secs_f64(), &attributes);
    response
}

/// A method; those that are not routed share a word, so that a client cannot invent series.
fn known(method: &str) -> &'static str {
    match method {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::{self, Body},
        http::{Request, StatusCode},
        middleware::from_fn,
        routing::get,
    };
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_recorded_request_has_the_answer_of_its_handler() {
        let hello = get(async || (StatusCode::ACCEPTED, "Hello!"));
        let router = Router::new().route("/", hello).route_layer(from_fn(traced));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        assert_eq!(body::to_bytes(response.into_body(), 100).await.unwrap(), "Hello!");
    }
}
