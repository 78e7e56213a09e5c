//! Logs, traces and metrics.
//!
//! Each log event is one line on standard output, with its trace id: text on a terminal, or JSON,
//! unless `LOG_FORMAT` says otherwise. `RUST_LOG` filters them, with `info` as the default. Spans
//! and metrics are exported to the collector in `OTEL_EXPORTER_OTLP_ENDPOINT`, if it is set;
//! `OTEL_TRACES_SAMPLER` says which traces.

use std::{fmt, io::IsTerminal as _};

use clap::{ArgMatches, Args, FromArgMatches as _, ValueEnum};
use opentelemetry::{
    global,
    trace::{TraceContextExt as _, TraceId, TracerProvider as _},
};
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tracing::{Event, Subscriber, dispatcher};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    field::RecordFields,
    filter::{FilterExt as _, filter_fn},
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{DefaultFields, Format, Json, JsonFields, Writer, format},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

mod export;

/// What a service logs, and where it exports spans and metrics.
#[derive(Args, Clone, Debug)]
#[group(skip)] // groups share one namespace with those of the service
pub(crate) struct Settings {
    /// What to log, such as info or info,pubsub=debug
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "info")]
    log: EnvFilter,
    /// How a log line is written; auto is text on a terminal, and json elsewhere
    #[arg(long, value_name = "FORMAT", env = "LOG_FORMAT", default_value = "auto")]
    log_format: LogFormat,
    /// Where to export spans and metrics, over HTTP, such as http://localhost:4318; unset exports
    /// none
    #[arg(long, value_name = "URL", env = export::ENDPOINT)]
    otlp_endpoint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Auto,
    // For a person.
    Text,
    // An object for each line, for a program.
    Json,
}

/// Exports spans and metrics in the background.
pub(crate) struct Telemetry {
    spans: SdkTracerProvider,
    metrics: Option<SdkMeterProvider>,
}

/// Starts logging and tracing for the service `name`. Logs have colours only on a terminal.
///
/// Call it once in a process, and inside a tokio runtime.
///
/// # Errors
///
/// [`Misconfigured`](crate::env::Misconfigured) if the endpoint is not a URL.
pub(crate) fn start(name: &str, matches: &ArgMatches) -> anyhow::Result<Telemetry> {
    let Settings { log, log_format, otlp_endpoint } = Settings::from_arg_matches(matches)?;
    let resource = Resource::builder().with_service_name(name.to_owned()).build();
    // X-Ray drops a trace whose id does not begin with the time.
    let mut spans = SdkTracerProvider::builder()
        .with_id_generator(XrayIdGenerator::default())
        .with_resource(resource.clone());
    let mut metrics = None;
    if let Some(endpoint) = otlp_endpoint.filter(|endpoint| !endpoint.is_empty()) {
        spans = spans.with_batch_exporter(export::spans(&endpoint)?);
        let meters = SdkMeterProvider::builder().with_resource(resource);
        let meters = meters.with_periodic_exporter(export::metrics(&endpoint)?).build();
        global::set_meter_provider(meters.clone());
        metrics = Some(meters);
    }
    let provider = spans.build();
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(std::io::stdout().is_terminal())
        // If standard output and standard error are closed, reporting a failed write would panic,
        // also in the task that listens for SIGTERM.
        .log_internal_errors(false);
    let is_text = match log_format {
        LogFormat::Auto => std::io::stdout().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let lines = if is_text {
        lines.fmt_fields(WithTrace(DefaultFields::new())).boxed()
    } else {
        let json = format().json().with_target(false).flatten_event(true);
        let json = json.with_current_span(false).with_span_list(false);
        lines.fmt_fields(JsonFields::new()).event_format(JsonWithTrace(json)).boxed()
    };
    // Each line has all its fields itself, so its spans are not repeated.
    let lines = lines.with_filter(log.and(filter_fn(|metadata| metadata.is_event())));
    // Exports only our spans: those of the libraries describe the libraries.
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(name.to_owned()))
        .with_location(false)
        .with_threads(false)
        .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == SPANS));
    tracing_subscriber::registry().with(spans).with(lines).init();
    Ok(Telemetry { spans: provider, metrics })
}

/// The target of the spans that are exported. Spans with other targets are not.
pub const SPANS: &str = "trace";

impl Telemetry {
    /// Exports what is left.
    pub(crate) async fn stop(self) {
        let stop = move || {
            let metrics = self.metrics.map_or(Ok(()), |metrics| metrics.shutdown());
            self.spans.shutdown().and(metrics)
        };
        let stopped = tokio::task::spawn_blocking(stop).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!(%error, "cannot export the last spans and metrics");
        }
    }
}

/// Adds the trace id to the fields of a line.
struct WithTrace(DefaultFields);

impl<'writer> FormatFields<'writer> for WithTrace {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        self.0.format_fields(writer.by_ref(), fields)?;
        match trace_id() {
            Some(id) => write!(writer, " trace_id={id}"),
            None => Ok(()),
        }
    }
}

/// Adds the trace id to a line of JSON.
struct JsonWithTrace(Format<Json>);

impl<S> FormatEvent<S, JsonFields> for JsonWithTrace
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(id) = trace_id() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let fields = line.trim_end().strip_suffix('}').unwrap_or_default();
        writeln!(writer, r#"{fields},"trace_id":"{id}"}}"#)
    }
}

fn trace_id() -> Option<TraceId> {
    dispatcher::get_default(|dispatch| {
        let context = get_otel_context(dispatch.current_span().id()?, dispatch)?;
        let span = context.span();
        span.span_context().is_valid().then(|| span.span_context().trace_id())
    })
}
