//! What waits, for metrics.

use std::time::Duration;

use opentelemetry::KeyValue;
use pubsub::metrics::meter;

/// Shows how many items this process is about to announce, and the age of the oldest that waits,
/// for as long as the functions return something. A process may have several outboxes, each on a
/// table of its own.
pub fn observe(
    table: &str,
    waiting: impl Fn() -> Option<usize> + Send + Sync + 'static,
    oldest: impl Fn() -> Option<Duration> + Send + Sync + 'static,
) {
    let meter = meter();
    let of = [KeyValue::new("table", table.to_owned())];
    let of_oldest = of.clone();
    meter
        .u64_observable_gauge("outbox.waiting")
        .with_unit("{item}")
        .with_description("Items that this process is about to announce")
        .with_callback(move |observer| {
            if let Some(waiting) = waiting() {
                observer.observe(waiting as u64, &of);
            }
        })
        .build();
    meter
        .f64_observable_gauge("outbox.oldest.age")
        .with_unit("s")
        .with_description("The age of the oldest item that is due, or about to be announced")
        .with_callback(move |observer| {
            if let Some(oldest) = oldest() {
                observer.observe(oldest.as_secs_f64(), &of_oldest);
            }
        })
        .build();
}
