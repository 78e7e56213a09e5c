//! The present state of a worker, for metrics.

use std::sync::{Arc, Weak, atomic::Ordering};

use super::{metrics::attributes, worker::Worker};
use crate::metrics::meter;

/// Shows the present state of a worker for as long as it runs.
pub fn observe(worker: &Arc<Worker>) {
    gauge(worker, "worker.in_flight", "{message}", "Messages in flight", |worker| {
        worker.in_flight.count_and_oldest().0 as u64
    });
    gauge(worker, "worker.pollers", "{poller}", "Requests that wait for messages", |worker| {
        worker.pollers.load(Ordering::Relaxed) as u64
    });
    gauge(worker, "worker.breaker.open", "1", "1 while dependencies are unavailable", |worker| {
        u64::from(worker.breaker.is_open())
    });
}

fn gauge(
    worker: &Arc<Worker>,
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    read: impl Fn(&Worker) -> u64 + Send + Sync + 'static,
) {
    let (queue, worker) = (attributes(worker.queue.name()), Arc::downgrade(worker));
    let meter = meter();
    let gauge = meter.u64_observable_gauge(name).with_unit(unit).with_description(description);
    gauge
        .with_callback(move |observer| {
            if let Some(worker) = Weak::upgrade(&worker) {
                observer.observe(read(&worker), &queue);
            }
        })
        .build();
}
