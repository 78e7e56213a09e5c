//! What lets services export their spans to the console.

use console::otlp::Receiver;

/// The variable by which a service finds a collector. Who sets it has one.
pub const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Who looks at traces on a laptop wants to see each.
pub const EVERY_TRACE: (&str, &str) = ("OTEL_TRACES_SAMPLER", "parentbased_always_on");
/// The variable with which the publisher's pages link to a trace, and the path of one.
const TRACES: (&str, &str) = ("TRACES_URL", "/traces/{trace}");
/// How often a service exports its spans, in milliseconds: a person waits for them.
const EXPORT_EVERY: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "500");

/// The variables of services whose spans go to `receiver`, for the console at this URL.
pub fn to(receiver: &Receiver, console: &str) -> [(String, String); 4] {
    let (sampler, every) = EVERY_TRACE;
    let (traces, path) = TRACES;
    let (delay, millis) = EXPORT_EVERY;
    [
        (COLLECTOR, receiver.url.clone()),
        (sampler, every.to_owned()),
        (traces, format!("{console}{path}")),
        (delay, millis.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}
