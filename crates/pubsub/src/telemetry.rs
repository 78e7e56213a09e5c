//! Logs and traces.
//!
//! Logs are one line an event on standard output, filtered by `RUST_LOG` (`info` if it is not set),
//! with the id of the trace. Spans are exported if `OTEL_EXPORTER_OTLP_ENDPOINT` says where to.

use std::{fmt, io::IsTerminal as _};

use opentelemetry::trace::{TraceContextExt as _, TraceId, TracerProvider as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::dispatcher;
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    field::RecordFields,
    filter::{FilterExt as _, filter_fn},
    fmt::{
        FormatFields,
        format::{DefaultFields, Writer},
    },
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::env::{self, Misconfigured};

mod export;

/// The variables that are read here: name and meaning.
pub const VARIABLES: [(&str, &str); 2] = [
    ("RUST_LOG", "what is logged (info)"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "where spans go, over HTTP (nowhere)"),
];

/// What has to end with the process, so that no span is lost.
pub struct Telemetry(SdkTracerProvider);

/// Starts logging and tracing for the service `name`. Colours are for a terminal only.
///
/// # Errors
///
/// [`Misconfigured`] if a variable cannot be read.
pub fn start(name: &'static str) -> Result<Telemetry, Misconfigured> {
    let filter: EnvFilter =
        env::parsed("RUST_LOG", EnvFilter::new("info"), "a filter such as info or pubsub=debug")?;
    let mut provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name(name).build());
    if let Some(exporter) = export::from_env()? {
        provider = provider.with_batch_exporter(exporter);
    }
    let provider = provider.build();
    let lines = tracing_subscriber::fmt::layer()
        .fmt_fields(WithTrace(DefaultFields::new()))
        .with_target(false)
        .with_ansi(std::io::stdout().is_terminal())
        // Whoever read the log may be gone. To complain of it on standard error would panic there,
        // and take the task with it that listens for SIGTERM.
        .log_internal_errors(false)
        // A line reads alone: it has all that matters in its own fields, and needs no spans.
        .with_filter(filter.and(filter_fn(|metadata| metadata.is_event())));
    // Our own spans: those of the libraries are about the libraries.
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(name))
        .with_location(false)
        .with_threads(false)
        .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == SPANS));
    tracing_subscriber::registry().with(spans).with(lines).init();
    Ok(Telemetry(provider))
}

/// The target of the spans that make up a trace.
pub const SPANS: &str = "trace";

impl Telemetry {
    /// Sends what is not sent yet.
    pub async fn stop(self) {
        let stopped = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!(%error, "the last spans are lost");
        }
    }
}

/// The fields of a line, and the id of the trace that it was written in.
struct WithTrace(DefaultFields);

impl<'writer> FormatFields<'writer> for WithTrace {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        self.0.format_fields(writer.by_ref(), fields)?;
        match trace_id() {
            Some(id) => write!(writer, " trace.id={id}"),
            None => Ok(()),
        }
    }
}

fn trace_id() -> Option<TraceId> {
    dispatcher::get_default(|dispatch| {
        let context = get_otel_context(dispatch.current_span().id()?, dispatch)?;
        let span = context.span();
        span.span_context().is_valid().then(|| span.span_context().trace_id())
    })
}
