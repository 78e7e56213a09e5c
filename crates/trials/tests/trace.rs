//! One order is one trace: the real binaries export it to a collector.

use anyhow::Context as _;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tokio::time::timeout;

mod collector;
mod test_system;

use collector::{Collector, Received, attributes, hex};
use test_system::{TIMEOUT, TestSystem};

type Outcome = anyhow::Result<()>;

#[tokio::test]
async fn the_publishers_span_is_the_parent_of_both_workers_spans() -> Outcome {
    let mut collector = Collector::start().await?;
    let test = TestSystem::start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_TRACES_SAMPLER", "parentbased_always_on"),
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
        test.logged(service, &[&id, &format!("trace_id={trace_id}")]).await?;
    }
    // And back: the publisher projects the reports in the same trace.
    collector.span(&trace_id, "publisher", "process pubsub-test-publisher-statusQueue").await?;
    test.logged("publisher", &["order stored", &id, &format!("trace_id={trace_id}")]).await?;
    test.logged("publisher", &["order announced", &id, &format!("trace_id={trace_id}")]).await?;

    // A batch may contain messages of several traces. Its span is in none of them, and links to
    // all.
    let linked = |seen: &Received| {
        let mut receives = seen.spans.iter().filter(|it| it.span.name.starts_with("receive "));
        receives.any(|it| it.span.links.iter().any(|link| link.span_id == send.span_id))
    };
    timeout(TIMEOUT, collector.seen.wait_for(linked))
        .await
        .context("no receive span links to the order's trace")??;
    test.system.stop().await?;
    let dropped = collector.seen.borrow().dropped.clone();
    assert_eq!(dropped, Vec::<String>::new(), "X-Ray would drop these traces");
    Ok(())
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
    test.logged("fulfilment", &["order fulfilled", &format!("trace_id={TRACE_ID}")]).await?;
    test.logged("promotion", &["coupon granted", &format!("trace_id={TRACE_ID}")]).await?;
    test.system.stop().await
}
