//! Receives the spans of the services, as a collector does: OTLP over HTTP, in Protobuf.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    middleware::from_fn_with_state,
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{self as proto, status::StatusCode as Code},
};
use prost::Message as _;
use pubsub::env::Misconfigured;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    here::of_this_machine,
    spans::{Span, Spans},
};

/// A batch has 512 spans of less than a kilobyte.
const MAX_BYTES: usize = 4 << 20;
/// What receives begin with. A batch may have messages of many traces, so it is in none of them.
const RECEIVE: &str = "receive ";

/// A running receiver. It stops when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    /// The value for `OTEL_EXPORTER_OTLP_ENDPOINT`, with the public host.
    pub url: String,
    /// What it received.
    pub spans: Spans,
    _serving: AbortOnDropHandle<()>,
}

impl Receiver {
    /// Starts one; with port 0 the system picks a free one. The services reach this machine as
    /// `public_host`.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if it cannot listen.
    pub async fn start(address: SocketAddr, public_host: &str) -> anyhow::Result<Self> {
        let refused = |error| Misconfigured(format!("spans cannot reach {address}: {error}"));
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let port = listener.local_addr().context("reading the port")?.port();
        let url = format!("http://{public_host}:{port}");
        let spans = Spans::default();
        let router = router(spans.clone(), public_host);
        let never = CancellationToken::new();
        let serving = web::serve::serve(listener, router, 0, never, Duration::ZERO);
        let serving = AbortOnDropHandle::new(tokio::spawn(serving));
        Ok(Self { url, spans, _serving: serving })
    }
}

fn router(spans: Spans, public_host: &str) -> Router {
    Router::new()
        .route("/v1/traces", post(receive))
        // Metrics are counted elsewhere; a service that cannot export them would log it.
        .route("/v1/metrics", post(|| async { StatusCode::OK }))
        .layer(DefaultBodyLimit::max(MAX_BYTES))
        .layer(web::guard::refuse_other_sites())
        .layer(from_fn_with_state(public_host.into(), of_this_machine))
        .with_state(spans)
}

async fn receive(State(spans): State<Spans>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    for resource in request.resource_spans {
        let attributes = texts(resource.resource.map(|it| it.attributes).unwrap_or_default());
        let service = attributes.into_iter().find(|(name, _)| name == "service.name");
        let service = service.map(|(_, name)| name).unwrap_or_default();
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            if !span.name.starts_with(RECEIVE) {
                spans.push(&hex(&span.trace_id), read(&service, span));
            }
        }
    }
    StatusCode::OK
}

fn read(service: &str, span: proto::Span) -> Span {
    Span {
        service: service.to_owned(),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        nanos: [span.start_time_unix_nano, span.end_time_unix_nano],
        failed: span.status.is_some_and(|status| status.code() == Code::Error),
        attributes: texts(span.attributes),
        name: span.name,
    }
}

/// Attributes as texts.
fn texts(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let text = |value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::BoolValue(is) => is.to_string(),
        other => format!("{other:?}"),
    };
    attributes.into_iter().filter_map(|it| Some((it.key, text(it.value?.value?)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
