//! Logs and traces.
//!
//! Logs are one line an event on standard output, filtered by `RUST_LOG` (`info` if it is not set),
//! with the id of the trace. Spans are exported if `OTEL_EXPORTER_OTLP_ENDPOINT` says where to.

use std::{fmt, io::IsTerminal as _};

use clap::{ArgMatches, Args, FromArgMatches as _};
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

mod export;

/// What a service logs, and where its spans go.
#[derive(Args, Clone, Debug)]
#[group(skip)] // groups share one namespace with those of the service
pub struct Settings {
    /// What is logged, such as info or info,pubsub=debug
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "info")]
    log: EnvFilter,
    /// Where spans go, over HTTP, such as http://localhost:4318; without it none are sent
    #[arg(long, value_name = "URL", env = export::ENDPOINT)]
    otlp_endpoint: Option<String>,
}

/// Holds the spans that are not sent yet.
pub struct Telemetry(SdkTracerProvider);

/// Starts logging and tracing for the service `name`. Colours are for a terminal only.
///
/// # Errors
///
/// [`Misconfigured`](crate::env::Misconfigured) if the endpoint is not a URL.
pub fn start(name: &str, matches: &ArgMatches) -> anyhow::Result<Telemetry> {
    let Settings { log, otlp_endpoint } = Settings::from_arg_matches(matches)?;
    let mut provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name(name.to_owned()).build());
    if let Some(endpoint) = otlp_endpoint.filter(|endpoint| !endpoint.is_empty()) {
        let exporter = export::to(&endpoint)?;
        provider = provider.with_batch_exporter(exporter);
    }
    let provider = provider.build();
    let lines = tracing_subscriber::fmt::layer()
        .fmt_fields(WithTrace(DefaultFields::new()))
        .with_target(false)
        .with_ansi(std::io::stdout().is_terminal())
        // The reader of the log may be gone. Reporting that on standard error would panic, and stop
        // the task that listens for SIGTERM.
        .log_internal_errors(false)
        // A line reads alone: what matters is in its own fields, not in its spans.
        .with_filter(log.and(filter_fn(|metadata| metadata.is_event())));
    // Our own spans only: those of the libraries are about the libraries.
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(name.to_owned()))
        .with_location(false)
        .with_threads(false)
        .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == SPANS));
    tracing_subscriber::registry().with(spans).with(lines).init();
    Ok(Telemetry(provider))
}

/// The target of the spans that make up a trace.
pub const SPANS: &str = "trace";

impl Telemetry {
    /// Sends the remaining spans.
    pub async fn stop(self) {
        let stopped = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!(%error, "the last spans are lost");
        }
    }
}

/// The fields of a line, and the id of the trace it belongs to.
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
