//! One order is one trace: the real binaries export it to a collector.

use std::collections::HashMap;

use anyhow::Context as _;
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value as Attribute,
    trace::v1::{Span, span::SpanKind},
};
use prost::Message as _;
use tokio::{net::TcpListener, sync::watch, time::timeout};

mod test_system;

use test_system::{TIMEOUT, TestSystem};

type Outcome = anyhow::Result<()>;

/// A span, and the service that exported it.
#[derive(Clone, Debug)]
struct Seen {
    service: String,
    span: Span,
}

/// An OpenTelemetry collector that keeps every span.
struct Collector {
    url: String,
    seen: watch::Receiver<Vec<Seen>>,
}

impl Collector {
    async fn start() -> anyhow::Result<Self> {
        let (sender, seen) = watch::channel(Vec::new());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let collector = Router::new().route("/v1/traces", post(receive)).with_state(sender);
        tokio::spawn(async move { axum::serve(listener, collector).await });
        Ok(Self { url, seen })
    }

    /// Waits for a span of `service` in the trace `trace_id` whose name begins with `name`.
    async fn span(&mut self, trace_id: &str, service: &str, name: &str) -> anyhow::Result<Seen> {
        let wanted = |it: &&Seen| {
            it.service == service
                && it.span.name.starts_with(name)
                && hex(&it.span.trace_id) == trace_id
        };
        let arrived = self.seen.wait_for(|seen| seen.iter().any(|it| wanted(&it)));
        let found = match timeout(TIMEOUT, arrived).await {
            Ok(seen) => seen?.iter().find(wanted).cloned(),
            Err(_) => None,
        };
        let names = || self.seen.borrow().iter().map(|it| it.span.name.clone()).collect::<Vec<_>>();
        found.with_context(|| format!("{service} has no {name} in {:?}", names()))
    }
}

async fn receive(State(sender): State<watch::Sender<Vec<Seen>>>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    for resource in request.resource_spans {
        let attributes = resource.resource.map(|it| it.attributes).unwrap_or_default();
        let name = attributes.into_iter().find(|it| it.key == "service.name");
        let service = match name.and_then(|it| it.value?.value) {
            Some(Attribute::StringValue(name)) => name,
            _ => String::new(),
        };
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        let seen = spans.map(|span| Seen { service: service.clone(), span });
        sender.send_modify(|all| all.extend(seen));
    }
    StatusCode::OK
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text attributes of a span.
fn attributes(span: &Span) -> HashMap<&str, &str> {
    span.attributes
        .iter()
        .filter_map(|it| match it.value.as_ref()?.value.as_ref()? {
            Attribute::StringValue(text) => Some((it.key.as_str(), text.as_str())),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn the_publishers_span_is_the_parent_of_both_workers_spans() -> Outcome {
    let mut collector = Collector::start().await?;
    let test = TestSystem::start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ])
    .await?;
    let id = test.order("Ada Lovelace", "120").await?;
    let order = test.see_until(&id, |order| order["is_done"] == true).await?;
    let trace_id = order["trace_id"].as_str().context("no trace")?.to_owned();

    let request = collector.span(&trace_id, "publisher", "POST /").await?.span;
    assert_eq!(request.kind(), SpanKind::Server);
    assert_eq!(hex(&request.parent_span_id), "");
    let announce = collector.span(&trace_id, "publisher", "announce").await?.span;
    assert_eq!(announce.parent_span_id, request.span_id);
    let send = "send pubsub-test-publisher-ordersTopic";
    let send = collector.span(&trace_id, "publisher", send).await?.span;
    assert_eq!((send.kind(), &send.parent_span_id), (SpanKind::Producer, &announce.span_id));
    assert_eq!(attributes(&send)["messaging.system"], "aws.sns");

    for service in ["fulfilment", "promotion"] {
        let queue = format!("pubsub-test-{service}-EventsQueue");
        let process = collector.span(&trace_id, service, &format!("process {queue}")).await?.span;
        assert_eq!((process.kind(), &process.parent_span_id), (SpanKind::Consumer, &send.span_id));
        let attributes = attributes(&process);
        assert_eq!(attributes["messaging.system"], "aws_sqs");
        assert_eq!(attributes["messaging.operation.type"], "process");
        assert_eq!(attributes["messaging.destination.name"], queue);
        let message = attributes["messaging.message.id"];
        assert!(!message.is_empty(), "the span of {service} names no message: {attributes:?}");
        let report = format!("send pubsub-test-{service}-orderStatus");
        let report = collector.span(&trace_id, service, &report).await?.span;
        assert_eq!(report.parent_span_id, process.span_id);
        test.logged(service, &[&id, &format!("trace.id={trace_id}")]).await?;
    }
    // And back: the publisher projects the reports in the same trace.
    collector.span(&trace_id, "publisher", "process pubsub-test-publisher-statusQueue").await?;
    test.logged("publisher", &["order stored", &id, &format!("trace.id={trace_id}")]).await?;
    test.logged("publisher", &["order announced", &id, &format!("trace.id={trace_id}")]).await?;

    // A batch may contain messages of several traces. Its span is in none of them, and links to
    // all.
    let linked = |seen: &Vec<Seen>| {
        let mut receives = seen.iter().filter(|it| it.span.name.starts_with("receive "));
        receives.any(|it| it.span.links.iter().any(|link| link.span_id == send.span_id))
    };
    timeout(TIMEOUT, collector.seen.wait_for(linked))
        .await
        .context("no receive span links to the order's trace")??;
    test.system.stop().await
}

#[tokio::test]
async fn a_request_continues_the_trace_of_its_sender() -> Outcome {
    const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
    let test = TestSystem::start().await?;
    let order = test.http.post(test.url("/orders")).json(&serde_json::json!({
        "customer": "Ada", "amount": "120" }));
    let traceparent = format!("00-{TRACE_ID}-b7ad6b7169203331-01");
    let placed = order.header("traceparent", traceparent).send().await?;
    let placed: serde_json::Value = placed.json().await?;
    assert_eq!(placed["trace_id"], TRACE_ID);
    let id = placed["id"].as_str().context("no id")?;
    let page = test.http.get(test.url(&format!("/orders/{id}"))).header("accept", "text/html");
    let page = page.send().await?.text().await?;
    assert!(page.contains(TRACE_ID), "the order's page does not show its trace: {page}");
    test.logged("fulfilment", &["order fulfilled", &format!("trace.id={TRACE_ID}")]).await?;
    test.logged("promotion", &["coupon granted", &format!("trace.id={TRACE_ID}")]).await?;
    test.system.stop().await
}
