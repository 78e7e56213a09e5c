//! What waits, for metrics.

use std::time::Duration;

use pubsub::metrics::meter;

/// Shows how many items this process is about to announce, and the age of the oldest that waits,
/// for as long as the functions return something.
pub fn observe(
    waiting: impl Fn() -> Option<usize> + Send + Sync + 'static,
    oldest: impl Fn() -> Option<Duration> + Send + Sync + 'static,
) {
    let meter = meter();
    meter
        .u64_observable_gauge("outbox.waiting")
        .with_unit("{item}")
        .with_description("Items that this process is about to announce")
        .with_callback(move |observer| {
            if let Some(waiting) = waiting() {
                observer.observe(waiting as u64, &[]);
            }
        })
        .build();
    meter
        .f64_observable_gauge("outbox.oldest.age")
        .with_unit("s")
        .with_description("The age of the oldest item that is due, or about to be announced")
        .with_callback(move |observer| {
            if let Some(oldest) = oldest() {
                observer.observe(oldest.as_secs_f64(), &[]);
            }
        })
        .build();
}
