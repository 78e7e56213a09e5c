//! When the failed messages of a FIFO queue are due.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long before and after a failed message becomes visible it may be received. Visibility has a
/// resolution of seconds.
const DUE_MARGIN: Duration = Duration::from_secs(2);

/// When failed messages of a FIFO queue become visible again.
#[derive(Default)]
pub struct Due(Mutex<Vec<Instant>>);

impl Due {
    /// Adds a message that becomes visible after this time.
    pub fn add(&self, visible_in: Duration) {
        let at = Instant::now() + visible_in;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(at);
    }

    /// Whether a failed message may be received now.
    pub fn is_now(&self) -> bool {
        let now = Instant::now();
        let mut due = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        due.retain(|at| *at + DUE_MARGIN >= now);
        due.iter().any(|at| *at <= now + DUE_MARGIN)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failed_message_is_due_two_seconds_before_and_after_it_is_visible() {
        let due = Due::default();
        due.add(Duration::from_secs(10));
        let mut millis = 0;
        for (until, expected) in
            [(0, false), (7_990, false), (8_010, true), (11_990, true), (12_010, false)]
        {
            advance(Duration::from_millis(until - millis)).await;
            millis = until;
            assert_eq!(due.is_now(), expected, "after {millis} ms");
        }
    }
}
