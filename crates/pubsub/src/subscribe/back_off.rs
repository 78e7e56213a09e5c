//! The time to wait before a retry.

use std::time::Duration;

use rand::RngExt as _;

/// A random time up to a limit. The limit is `base` after the first failure, doubles with each
/// further failure, and is at most `max`.
///
/// Choosing from the whole range ("full jitter") spreads out the retries of simultaneous failures.
/// See Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog.
pub fn full_jitter(base: Duration, max: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let ceiling = base.saturating_mul(1 << doublings).min(max);
    rand::rng().random_range(Duration::ZERO..=ceiling)
}
