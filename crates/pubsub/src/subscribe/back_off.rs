//! How long to wait before a further try.

use std::time::Duration;

use rand::RngExt as _;

/// A random time from zero to a ceiling that starts at `base`, doubles with each failure, and ends
/// at `max`.
///
/// Randomness over the whole range ("full jitter") spreads out those that failed together; see
/// Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog.
pub fn full_jitter(base: Duration, max: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let ceiling = base.saturating_mul(1 << doublings).min(max);
    rand::rng().random_range(Duration::ZERO..=ceiling)
}
