//! Exports spans and metrics to an OpenTelemetry collector over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, hyper::HyperClient};
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use tokio::runtime::Handle;

use crate::env::Misconfigured;

/// Enough for a collector that runs next to the service.
const TIMEOUT: Duration = Duration::from_secs(5);

/// OpenTelemetry's variable for the collector's URL.
pub const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// An exporter of spans to the collector at `endpoint`. OpenTelemetry's standard variables set the
/// rest.
///
/// # Errors
///
/// [`Misconfigured`] if the endpoint is not a URL.
pub fn spans(endpoint: &str) -> Result<SpanExporter, Misconfigured> {
    let exporter = SpanExporter::builder().with_http().with_http_client(client());
    let exporter = exporter.with_endpoint(path(endpoint, "traces")).build();
    exporter.map_err(|error| misconfigured(endpoint, &error))
}

/// The same for metrics.
///
/// # Errors
///
/// [`Misconfigured`] if the endpoint is not a URL.
pub fn metrics(endpoint: &str) -> Result<MetricExporter, Misconfigured> {
    let exporter = MetricExporter::builder().with_http().with_http_client(client());
    let exporter = exporter.with_endpoint(path(endpoint, "metrics")).build();
    exporter.map_err(|error| misconfigured(endpoint, &error))
}

fn path(endpoint: &str, signal: &str) -> String {
    format!("{}/v1/{signal}", endpoint.trim_end_matches('/'))
}

fn client() -> OnRuntime<HyperClient> {
    let client = HyperClient::with_default_connector(TIMEOUT, None);
    OnRuntime { runtime: Handle::current(), client }
}

fn misconfigured(endpoint: &str, error: &ExporterBuildError) -> Misconfigured {
    let what = "but should be a URL such as http://localhost:4318";
    Misconfigured(format!("{ENDPOINT} is {endpoint:?}, {what}: {error}"))
}

/// Sends on the tokio runtime, because the exporter runs on its own thread outside of it.
#[derive(Debug)]
struct OnRuntime<C> {
    runtime: Handle,
    client: C,
}

#[async_trait]
impl<C: HttpClient + Clone + 'static> HttpClient for OnRuntime<C> {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}
