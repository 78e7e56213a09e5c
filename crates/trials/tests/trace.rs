//! One order is one trace: the real binaries export it to a receiver that refuses what X-Ray would.

use std::{
    slice,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, span::SpanKind},
};
use prost::Message as _;
use tokio::time::timeout;

mod collector;
mod test_system;

use collector::{Collector, Received, Seen, attributes, hex, xray};
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
    assert_eq!(collector.seen.borrow().wrong_for_xray(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_span_that_ends_while_its_service_stops_is_exported() -> Outcome {
    let mut collector = Collector::start().await?;
    let mut test = TestSystem::start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
        // No batch is due before the end.
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        ("OTEL_TRACES_SAMPLER", "parentbased_always_on"),
        ("BANNER", "on"),
        ("PACE_MS", "1000"),
    ])
    .await?;
    let id = test.order("Ada Lovelace", "50").await?;
    test.logged("fulfilment", &["fulfilling the order of"]).await?;
    let trace_id = test.see(&id).await?["trace_id"].as_str().context("no trace")?.to_owned();
    assert_eq!(test.lines("fulfilment", "order fulfilled"), Vec::<String>::new());
    assert!(collector.seen.borrow().spans.is_empty(), "a batch came before the end");

    test.stop("fulfilment").await?;
    test.logged("fulfilment", &["order fulfilled", &id]).await?;
    collector.span(&trace_id, "fulfilment", "process pubsub-test-fulfilment-EventsQueue").await?;
    test.system.stop().await?;
    collector.span(&trace_id, "publisher", "POST /").await?;
    assert_eq!(collector.seen.borrow().wrong_for_xray(), Vec::<String>::new());
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

/// The time of [`sent`], in seconds since 1970.
const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 60 * 60;

/// A span of a message that was sent.
fn sent(changed: impl FnOnce(&mut Span)) -> Seen {
    let mut span = Span {
        trace_id: trace_id(NOW),
        span_id: vec![2; 8],
        name: "send pubsub-test-ordersTopic".to_owned(),
        kind: SpanKind::Producer.into(),
        start_time_unix_nano: NOW * 1_000_000_000,
        end_time_unix_nano: NOW * 1_000_000_000 + 5_000_000,
        attributes: vec![attribute("messaging.system", "aws.sns")],
        ..Span::default()
    };
    changed(&mut span);
    Seen { service: "publisher".to_owned(), span }
}

fn trace_id(seconds: u64) -> Vec<u8> {
    let seconds = u32::try_from(seconds).expect("a time before 2106");
    [&seconds.to_be_bytes()[..], &[1; 12]].concat()
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

#[test]
fn a_span_that_breaks_a_rule_of_x_ray_is_refused() {
    let time = "the trace id does not begin with a time it keeps";
    let id = "the id is not of 16 hexadecimal digits";
    let name = "the name is too long, or empty";
    let key = "a key is not of letters, digits and underscores";
    for (why, seen) in [
        (time, sent(|it| it.trace_id = vec![0; 16])),
        (time, sent(|it| it.trace_id = trace_id(NOW - 31 * DAY))),
        (time, sent(|it| it.trace_id = trace_id(NOW + 1))),
        (time, sent(|it| it.trace_id.truncate(8))),
        (id, sent(|it| it.span_id = vec![2; 7])),
        (id, sent(|it| it.span_id = vec![0; 8])),
        ("nor is the parent's", sent(|it| it.parent_span_id = vec![3; 9])),
        (name, sent(|it| it.name = "a".repeat(201))),
        (name, sent(|it| it.name.clear())),
        ("the name has a character that it may not have", sent(|it| it.name = "a{b}".to_owned())),
        ("it ends before it starts", sent(|it| it.end_time_unix_nano = 1)),
        ("it ends before it starts", sent(|it| it.start_time_unix_nano = 0)),
        (key, sent(|it| it.attributes.push(attribute("order id", "7")))),
        (key, sent(|it| it.attributes.push(attribute(&"a".repeat(501), "7")))),
        (
            "a value of an annotation is too long",
            sent(|it| it.attributes.push(attribute("a", &"ä".repeat(1_001)))),
        ),
        (
            "the document is over 64 kB",
            sent(|it| {
                let many = (0..65).map(|n| attribute(&format!("a{n}"), &"b".repeat(1_000)));
                it.attributes.extend(many);
            }),
        ),
    ] {
        assert_eq!(xray::refuses(&seen, NOW), Some(why), "{}", seen.span.name);
    }
    assert_eq!(xray::refuses(&sent(|_| ()), NOW), None);
    assert_eq!(xray::refuses(&sent(|it| it.trace_id = trace_id(NOW - 29 * DAY)), NOW), None);
    assert_eq!(xray::refuses(&sent(|it| it.name = "ä".repeat(200)), NOW), None);
    // The segment of a request that comes in has the name of its service.
    let request = sent(|it| {
        it.kind = SpanKind::Server.into();
        it.name = "GET /orders/{id}".to_owned();
    });
    assert_eq!(xray::refuses(&request, NOW), None);
}

#[test]
fn a_trace_that_breaks_a_rule_of_x_ray_is_noticed() {
    let parent = sent(|_| ());
    let child = sent(|it| {
        it.span_id = vec![3; 8];
        it.parent_span_id = vec![2; 8];
    });
    let whole = vec![child.clone(), parent.clone()];
    assert_eq!(xray::wrong_traces(&whole), Vec::<String>::new());
    let id = hex(&trace_id(NOW));
    let orphan = format!("{id}: the parent of {:?} is unknown", child.span.name);
    assert_eq!(xray::wrong_traces(slice::from_ref(&child)), [orphan]);
    let twice = vec![parent.clone(), parent.clone()];
    assert_eq!(xray::wrong_traces(&twice), [format!("{id}: two segments have the same id")]);
    let mut many = whole;
    for (n, seen) in many.iter_mut().enumerate() {
        let keys = (0..25).map(|key| attribute(&format!("a{n}.{key}"), "b"));
        seen.span.attributes.extend(keys);
    }
    assert_eq!(xray::wrong_traces(&many), [format!("{id}: more than 50 annotations")]);
}

#[tokio::test]
async fn the_receiver_keeps_no_span_that_x_ray_refuses() -> Outcome {
    let collector = Collector::start().await?;
    // Of the past, and so refused; the other is of a moment ago.
    let refused = sent(|it| it.trace_id = vec![0; 16]).span;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let kept = sent(|it| it.trace_id = trace_id(now)).span;
    let scope = ScopeSpans { spans: vec![refused, kept.clone()], ..ScopeSpans::default() };
    let service = attribute("service.name", "publisher");
    let resource = Some(Resource { attributes: vec![service], ..Resource::default() });
    let spans = ResourceSpans { resource, scope_spans: vec![scope], ..ResourceSpans::default() };
    let request = ExportTraceServiceRequest { resource_spans: vec![spans] };
    let client = reqwest::Client::new();
    let url = format!("{}/v1/traces", collector.url);
    client.post(url).body(request.encode_to_vec()).send().await?.error_for_status()?;
    let seen = collector.seen.borrow();
    let spans: Vec<_> = seen.spans.iter().map(|it| &it.span).collect();
    assert_eq!(spans, [&kept]);
    let why = "\"send pubsub-test-ordersTopic\": the trace id does not begin with a time it keeps";
    assert_eq!(seen.wrong_for_xray(), [why]);
    Ok(())
}
