//! What the services measure about orders. Nothing happens unless a collector is set.

use std::{sync::LazyLock, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};
use pubsub::metrics::{counter, seconds};

static ACCEPTED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("orders.accepted", "{order}", "Orders that were stored"));
static REFUSED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("orders.refused", "{order}", "Orders answered with 503"));
static TIME_TO_FULFILLED: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    let what = "From the time an order was placed to the last step that completed it";
    seconds("order.time_to_fulfilled", what)
});
static COUPONS: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("coupons.granted", "{coupon}", "Coupons that were stored"));

/// An order was stored.
pub fn accepted() {
    ACCEPTED.add(1, &[]);
}

/// An order was answered with 503, for this reason.
pub fn refused(reason: &'static str) {
    REFUSED.add(1, &[KeyValue::new("reason", reason)]);
}

/// All services that have to be done with an order are, so long after it was placed.
pub fn fulfilled_after(time: Duration) {
    TIME_TO_FULFILLED.record(time.as_secs_f64(), &[]);
}

/// A coupon was stored.
pub fn coupon_granted() {
    COUPONS.add(1, &[]);
}
