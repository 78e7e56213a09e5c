//! A small receiver of OTLP in this process. It keeps what it receives, and refuses spans that
//! X-Ray would drop.
#![expect(dead_code, reason = "each suite uses a part of it")]

use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value::Value as Attribute},
    metrics::v1::{Metric, metric::Data, number_data_point::Value as Number},
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message as _;
use tokio::{net::TcpListener, sync::watch, time::timeout};

use super::test_system::TIMEOUT;

pub mod xray;

/// A span, and the service that exported it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub service: String,
    pub span: Span,
}

/// A value of a metric: of a counter or gauge, or the number of measurements of a histogram.
#[derive(Clone, Debug)]
pub struct Point {
    pub service: String,
    /// The instrumentation, which CloudWatch has as a dimension too.
    pub scope: String,
    pub name: String,
    pub unit: String,
    pub attributes: Vec<(String, String)>,
    pub value: f64,
}

/// What a collector has received.
#[derive(Debug, Default)]
pub struct Received {
    pub spans: Vec<Seen>,
    pub points: Vec<Point>,
    /// Spans that X-Ray would drop, and why.
    pub dropped: Vec<String>,
}

impl Received {
    /// What X-Ray would drop, or show wrongly. Ask it when all spans have arrived.
    pub fn wrong_for_xray(&self) -> Vec<String> {
        self.dropped.iter().cloned().chain(xray::wrong_traces(&self.spans)).collect()
    }
}

/// A running collector.
pub struct Collector {
    pub url: String,
    pub seen: watch::Receiver<Received>,
}

impl Collector {
    pub async fn start() -> anyhow::Result<Self> {
        let (sender, seen) = watch::channel(Received::default());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let collector = Router::new()
            .route("/v1/traces", post(receive_spans))
            .route("/v1/metrics", post(receive_metrics))
            .with_state(sender);
        tokio::spawn(async move { axum::serve(listener, collector).await });
        Ok(Self { url, seen })
    }

    /// Waits for a span of `service` in the trace `trace_id` whose name begins with `name`.
    pub async fn span(
        &mut self,
        trace_id: &str,
        service: &str,
        name: &str,
    ) -> anyhow::Result<Seen> {
        let wanted = |it: &&Seen| {
            it.service == service
                && it.span.name.starts_with(name)
                && hex(&it.span.trace_id) == trace_id
        };
        let arrived = self.seen.wait_for(|seen| seen.spans.iter().any(|it| wanted(&it)));
        let found = match timeout(TIMEOUT, arrived).await {
            Ok(seen) => seen?.spans.iter().find(wanted).cloned(),
            Err(_) => None,
        };
        let names = || {
            let seen = self.seen.borrow();
            seen.spans.iter().map(|it| it.span.name.clone()).collect::<Vec<_>>()
        };
        found.with_context(|| format!("{service} has no {name} in {:?}", names()))
    }

    /// Waits for a point of a metric that `wanted` accepts.
    pub async fn point(
        &mut self,
        name: &str,
        wanted: impl Fn(&Point) -> bool,
    ) -> anyhow::Result<Point> {
        let wanted = |it: &&Point| it.name == name && wanted(it);
        let arrived = self.seen.wait_for(|seen| seen.points.iter().any(|it| wanted(&it)));
        let found = match timeout(TIMEOUT, arrived).await {
            Ok(seen) => seen?.points.iter().find(wanted).cloned(),
            Err(_) => None,
        };
        let points = || {
            let seen = self.seen.borrow();
            seen.points.iter().filter(|it| it.name == name).cloned().collect::<Vec<_>>()
        };
        found.with_context(|| format!("no such point of {name} in {:#?}", points()))
    }
}

async fn receive_spans(State(sender): State<watch::Sender<Received>>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    for resource in request.resource_spans {
        let service = service(resource.resource);
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        let spans = spans.map(|span| Seen { service: service.clone(), span });
        sender.send_modify(|all| {
            for seen in spans {
                match xray::refuses(&seen, now) {
                    None => all.spans.push(seen),
                    Some(why) => all.dropped.push(format!("{:?}: {why}", seen.span.name)),
                }
            }
        });
    }
    StatusCode::OK
}

async fn receive_metrics(State(sender): State<watch::Sender<Received>>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportMetricsServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    for resource in request.resource_metrics {
        let service = service(resource.resource);
        let metrics = resource.scope_metrics.into_iter().flat_map(|scoped| {
            let scope = scoped.scope.map(|scope| scope.name).unwrap_or_default();
            scoped.metrics.into_iter().map(move |metric| (scope.clone(), metric))
        });
        let points = metrics.flat_map(|(scope, metric)| points(&service, &scope, metric));
        let points: Vec<_> = points.collect();
        sender.send_modify(|all| all.points.extend(points));
    }
    StatusCode::OK
}

fn points(service: &str, scope: &str, metric: Metric) -> Vec<Point> {
    let values: Vec<(Vec<KeyValue>, f64)> = match metric.data {
        Some(Data::Gauge(gauge)) => numbers(gauge.data_points),
        Some(Data::Sum(sum)) => numbers(sum.data_points),
        Some(Data::Histogram(histogram)) => {
            let points = histogram.data_points.into_iter();
            points.map(|point| (point.attributes, point.count as f64)).collect()
        }
        _ => Vec::new(),
    };
    let point = |(attributes, value)| Point {
        service: service.to_owned(),
        scope: scope.to_owned(),
        name: metric.name.clone(),
        unit: metric.unit.clone(),
        attributes: texts(attributes),
        value,
    };
    values.into_iter().map(point).collect()
}

fn numbers(
    points: Vec<opentelemetry_proto::tonic::metrics::v1::NumberDataPoint>,
) -> Vec<(Vec<KeyValue>, f64)> {
    let value = |value| match value {
        Some(Number::AsDouble(value)) => value,
        Some(Number::AsInt(value)) => value as f64,
        None => f64::NAN,
    };
    points.into_iter().map(|point| (point.attributes, value(point.value))).collect()
}

fn service(resource: Option<Resource>) -> String {
    let attributes = texts(resource.map(|it| it.attributes).unwrap_or_default());
    let name = attributes.into_iter().find(|(name, _)| name == "service.name");
    name.map(|(_, name)| name).unwrap_or_default()
}

/// Attributes as texts.
fn texts(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let text = |value| match value {
        Attribute::StringValue(text) => text,
        Attribute::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.into_iter().filter_map(|it| Some((it.key, text(it.value?.value?)))).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text attributes of a span.
pub fn attributes(span: &Span) -> HashMap<&str, &str> {
    span.attributes
        .iter()
        .filter_map(|it| match it.value.as_ref()?.value.as_ref()? {
            Attribute::StringValue(text) => Some((it.key.as_str(), text.as_str())),
            _ => None,
        })
        .collect()
}
