//! Where spans go: to an OpenTelemetry collector, over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, hyper::HyperClient};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use tokio::runtime::Handle;

use crate::env::{self, Misconfigured};

/// A collector is next door.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The exporter that the standard variables describe; `None` without an endpoint.
///
/// # Errors
///
/// [`Misconfigured`] if they are wrong.
pub fn from_env() -> Result<Option<SpanExporter>, Misconfigured> {
    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let Some(endpoint) = env::optional(ENDPOINT)? else {
        return Ok(None);
    };
    let client = OnRuntime {
        runtime: Handle::current(),
        client: HyperClient::with_default_connector(TIMEOUT, None),
    };
    // The exporter reads the variables itself, and adds the path.
    let exporter = SpanExporter::builder().with_http().with_http_client(client).build();
    exporter.map(Some).map_err(|error| {
        let what = "but should be a URL such as http://localhost:4318";
        Misconfigured(format!("{ENDPOINT} is {endpoint:?}, {what}: {error}"))
    })
}

/// The exporter calls from a thread of its own; connections need the runtime.
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
