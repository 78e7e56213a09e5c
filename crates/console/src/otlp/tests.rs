//! Who may send spans, and what is kept of them.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use opentelemetry_proto::tonic::{
    common::v1::AnyValue,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans},
};
use tower::ServiceExt as _;

use super::*;

const TRACE: [u8; 16] = [7; 16];

/// What a service exports: a receive, and the span of an order.
fn exported() -> Vec<u8> {
    let text = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    };
    let span = |name: &str, attributes| proto::Span {
        name: name.to_owned(),
        trace_id: TRACE.into(),
        span_id: vec![8; 8],
        start_time_unix_nano: 1,
        end_time_unix_nano: 3,
        attributes,
        ..proto::Span::default()
    };
    let spans = vec![span("receive queue", vec![]), span("announce", vec![text("order.id", "o")])];
    let resource =
        Resource { attributes: vec![text("service.name", "publisher")], ..Resource::default() };
    let scope = ScopeSpans { spans, ..ScopeSpans::default() };
    let of_service = ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![scope],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![of_service] }.encode_to_vec()
}

async fn send(router: &Router, host: &str, origin: Option<&str>, body: Vec<u8>) -> StatusCode {
    let request = Request::post("/v1/traces").header("host", host);
    let request = match origin {
        Some(origin) => request.header("origin", origin),
        None => request,
    };
    let request = request.body(Body::from(body)).unwrap();
    router.clone().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn spans_of_a_service_are_kept_without_its_receives() {
    let spans = Spans::default();
    let router = router(spans.clone(), "aws");
    assert_eq!(send(&router, "aws:4318", None, exported()).await, StatusCode::OK);
    let trace = spans.of_order("o").unwrap();
    assert_eq!(trace.id, hex(&TRACE));
    let [span] = &trace.spans[..] else { panic!("{trace:?}") };
    assert_eq!((&*span.service, &*span.name, span.nanos), ("publisher", "announce", [1, 3]));
    assert_eq!(send(&router, "aws:4318", None, vec![1, 2]).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn only_requests_that_name_this_machine_or_its_public_host_are_taken() {
    for (public_host, host, expected) in [
        ("127.0.0.1", "127.0.0.1:4318", StatusCode::OK),
        ("127.0.0.1", "localhost:4318", StatusCode::OK),
        ("127.0.0.1", "aws:4318", StatusCode::FORBIDDEN),
        ("aws", "aws:4318", StatusCode::OK),
        ("aws", "aws", StatusCode::OK),
        ("aws", "127.0.0.1:4318", StatusCode::OK),
        ("aws", "aws.example:4318", StatusCode::FORBIDDEN),
        ("aws", "attacker.example:4318", StatusCode::FORBIDDEN),
    ] {
        let spans = Spans::default();
        let router = router(spans.clone(), public_host);
        let answered = send(&router, host, None, exported()).await;
        assert_eq!(answered, expected, "{host} at {public_host}");
        assert_eq!(spans.of_order("o").is_some(), expected == StatusCode::OK);
    }
    let router = router(Spans::default(), "aws");
    let page = Some("http://attacker.example");
    assert_eq!(send(&router, "aws:4318", page, exported()).await, StatusCode::FORBIDDEN);
}
