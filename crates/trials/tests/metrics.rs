//! What the services measure, as a collector receives it.

use std::collections::{BTreeMap, BTreeSet};

use account::{
    endpoint,
    proxy::{Calls, Conditions, Fault, Outage, Proxy},
};
use anyhow::Context as _;
use local::build;
use reqwest::StatusCode;
use serde_json::json;
use trials::prices::List;

mod collector;
#[expect(dead_code, reason = "the runbook is for other suites")]
mod guide;
mod test_system;

use collector::{Collector, Point};
use test_system::{
    SEED, TestSystem,
    webhooks::{NEW, SHIPPING, payment},
};

type Outcome = anyhow::Result<()>;

fn has(point: &Point, name: &str, value: &str) -> bool {
    point.attributes.iter().any(|(it, found)| it == name && found == value)
}

#[tokio::test]
async fn an_order_can_be_followed_in_metrics_that_have_no_ids() -> Outcome {
    let mut collector = Collector::start().await?;
    let account = endpoint::start(&endpoint::Settings::loopback(0).like_aws(SEED)).await?;
    let proxy = Proxy::start(&account.url, Conditions::default()).await?;
    let through_proxy = Some(account.target_through(&proxy.url));
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
    ];
    let test = TestSystem::start_at(through_proxy, build::copilot_directory(), &variables).await?;
    let id = test.order("Ada Lovelace", "120").await?;
    test.see_until(&id, |order| order["is_done"] == true).await?;
    test.logged("promotion", &["coupon granted", &id]).await?;
    test.send_to_queue("fulfilment", "poison").await?;
    let invented = test.http.request("BREW".parse()?, test.url("/orders")).send().await?;
    assert_eq!(invented.status(), StatusCode::METHOD_NOT_ALLOWED);

    for (name, count) in
        [("orders.accepted", 1.0), ("order.time_to_fulfilled", 1.0), ("coupons.granted", 1.0)]
    {
        collector.point(name, |it| it.value == count).await?;
    }
    collector
        .point("http.server.request.duration", |it| {
            has(it, "http.route", "/")
                && has(it, "http.request.method", "POST")
                && has(it, "http.response.status_code", "303")
        })
        .await?;
    for (service, outcome) in
        [("fulfilment", "handled"), ("promotion", "handled"), ("fulfilment", "poison")]
    {
        let of = |it: &Point| it.service == service && has(it, "outcome", outcome);
        collector.point("worker.messages", |it| of(it) && it.value >= 1.0).await?;
    }
    test.webhook("payments", &payment("payment.received", &id)).await?;
    test.webhook_signed("payments", SHIPPING, "msg_metrics", &json!({"type": "a"})).await?;
    test.webhook_signed("unknown", NEW, "msg_metrics", &json!({"type": "a"})).await?;
    for status in ["202", "403"] {
        let of = |it: &Point| has(it, "source", "payments") && has(it, "status", status);
        collector.point("webhooks.received", |it| of(it) && it.value == 1.0).await?;
    }
    for gauge in ["outbox.oldest.age", "outbox.waiting"] {
        for table in ["pubsub-test-publisher-ordersTable", "pubsub-test-publisher-webhooksTable"] {
            collector.point(gauge, |it| has(it, "table", table)).await?;
        }
    }
    for gauge in ["worker.breaker.open", "worker.in_flight", "outbox.oldest.age", "outbox.waiting"]
    {
        collector.point(gauge, |it| it.value == 0.0).await?;
    }
    collector.point("worker.pollers", |it| it.service == "fulfilment" && it.value >= 1.0).await?;
    requests_are_measured(&mut collector, &test, &proxy).await?;
    test.system.stop().await?;

    let seen = collector.seen.borrow();
    for point in &seen.points {
        let values = || point.attributes.iter().map(|(_, value)| value);
        assert!(values().all(|value| !value.contains(&id)), "an id in {point:?}");
        assert!(values().all(|value| value != "BREW"), "an invented series: {point:?}");
    }
    // The guide has each with its unit and its attributes, and no other.
    let guide = guide::metrics();
    let mut found = BTreeMap::<&str, BTreeSet<BTreeSet<String>>>::new();
    for Point { name, unit, scope, attributes, .. } in &seen.points {
        let row = guide.get(name).with_context(|| format!("docs/operate.md lacks {name}"))?;
        assert_eq!((&row.unit, scope.as_str()), (unit, "pubsub"), "{name}");
        let attributes = attributes.iter().map(|(key, _)| key.clone()).collect();
        assert!(row.attributes.is_superset(&attributes), "{name} has {attributes:?}");
        found.entry(name).or_default().insert(attributes);
    }
    for (name, row) in &guide {
        let found = found.get(name.as_str());
        let has_all = found.is_some_and(|it| it.contains(&row.attributes));
        // What this test does not make happen.
        let is_rare = ["orders.refused", "worker.leases"].contains(&name.as_str());
        assert!(has_all || is_rare, "{name} of docs/operate.md: {row:?} is not {found:?}");
    }
    series_are_as_many_as_the_bill_has(&seen.points)
}

/// Each request to a topic or a queue is measured, and each message that is sent; and when SNS
/// throttles, with that word.
async fn requests_are_measured(
    collector: &mut Collector,
    test: &TestSystem,
    proxy: &Proxy,
) -> Outcome {
    const DURATION: &str = "messaging.client.operation.duration";
    const SENT: &str = "messaging.client.sent.messages";
    let topic = "pubsub-test-fulfilment-orderStatus";
    let queue = "pubsub-test-fulfilment-EventsQueue";
    for (system, operation, kind, destination) in [
        ("aws.sns", "send", "send", topic),
        ("aws_sqs", "receive", "receive", queue),
        ("aws_sqs", "delete", "settle", queue),
    ] {
        let is_it = |it: &Point| {
            has(it, "messaging.system", system)
                && has(it, "messaging.operation.name", operation)
                && has(it, "messaging.operation.type", kind)
                && has(it, "messaging.destination.name", destination)
                && !it.attributes.iter().any(|(name, _)| name == "error.type")
        };
        collector.point(DURATION, |it| is_it(it) && it.value >= 1.0).await?;
        if kind == "send" {
            collector.point(SENT, |it| is_it(it) && it.value == 1.0).await?;
        }
    }
    let of = vec![Calls { mentions: "ordersTopic".to_owned(), ..Calls::default() }];
    proxy.set_outages(vec![Outage::Calls { of, fault: Fault::Throttle, percent: 100 }]);
    test.order("Grace Hopper", "50").await?;
    for name in [DURATION, SENT] {
        let is_throttled = |it: &Point| it.service == "publisher" && it.value >= 1.0;
        let is_throttled = |it: &Point| is_throttled(it) && has(it, "error.type", "throttled");
        collector.point(name, is_throttled).await?;
    }
    proxy.set_outages(Vec::new());
    Ok(())
}

/// CloudWatch bills each set of attributes of a metric.
fn series_are_as_many_as_the_bill_has(points: &[Point]) -> Outcome {
    let list = List::read()?;
    let billed = |name: &str| -> anyhow::Result<f64> {
        let count = list.counts.iter().find(|it| it.name == name);
        Ok(count.with_context(|| format!("prices.json has no {name}"))?.value)
    };
    for service in ["publisher", "fulfilment", "promotion", "history"] {
        let its = points.iter().filter(|it| it.service == service);
        let series: BTreeSet<_> = its.map(|it| (&it.name, &it.attributes)).collect();
        let which = if service == "publisher" { "publisher_series" } else { "worker_series" };
        let billed = billed(which)?;
        assert!(series.len() as f64 <= billed, "{service} has {} of {billed}", series.len());
    }
    Ok(())
}
