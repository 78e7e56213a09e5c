//! Instruments for metrics. They do nothing unless a collector is set.
//!
//! Names, units and attributes follow OpenTelemetry's conventions where there is one. No attribute
//! has an id, so that the number of series stays small.

use opentelemetry::{
    global,
    metrics::{Counter, Histogram, Meter},
};

/// The buckets of durations in seconds, as OpenTelemetry's conventions for HTTP and messaging
/// advise.
const SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Makes instruments. Make them after the service has started: what is made before does nothing.
pub fn meter() -> Meter {
    global::meter("pubsub")
}

/// Counts what happens. `unit` is in braces, such as `{order}`.
pub fn counter(name: &'static str, unit: &'static str, description: &'static str) -> Counter<u64> {
    meter().u64_counter(name).with_unit(unit).with_description(description).build()
}

/// How long something takes, in seconds.
pub fn seconds(name: &'static str, description: &'static str) -> Histogram<f64> {
    let meter = meter();
    let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
    histogram.with_boundaries(SECONDS.to_vec()).build()
}
