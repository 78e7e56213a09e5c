//! Each request is a span.

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use pubsub::{
    telemetry::SPANS,
    trace::{self, TRACEPARENT},
};
use tracing::{Instrument as _, field};

/// Makes a request a span, in the trace that its sender names or in one of its own. It is named and
/// filled as OpenTelemetry's conventions for HTTP say.
pub async fn traced(path: MatchedPath, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().as_str(), path.as_str());
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
    span.record("http.response.status_code", response.status().as_u16());
    response
}
