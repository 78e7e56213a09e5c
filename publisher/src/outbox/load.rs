//! Whether the process has time to spare.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// From this share of the time on, a process has none to spare.
const FULL: f64 = 0.8;

/// How much the threads of the runtime had to do since the last look.
pub struct Load {
    looked_at: Instant,
    busy: Duration,
}

impl Load {
    /// From now on.
    pub fn new() -> Self {
        Self { looked_at: Instant::now(), busy: busy() }
    }

    /// Whether there was hardly a moment, since this was asked last, in which nothing was to do.
    pub fn is_full(&mut self) -> bool {
        let last = std::mem::replace(self, Self::new());
        let threads = Handle::current().metrics().num_workers();
        let busy = self.busy.saturating_sub(last.busy);
        is_full(busy, threads, self.looked_at.duration_since(last.looked_at))
    }
}

fn is_full(busy: Duration, threads: usize, time: Duration) -> bool {
    busy.as_secs_f64() >= FULL * threads as f64 * time.as_secs_f64()
}

/// For how long the threads had something to do so far, together.
fn busy() -> Duration {
    let metrics = Handle::current().metrics();
    (0..metrics.num_workers()).map(|thread| metrics.worker_total_busy_duration(thread)).sum()
}

#[cfg(test)]
mod tests {
    use tokio::{task::yield_now, time::timeout};

    use super::*;

    #[test]
    fn a_process_is_full_when_all_its_threads_are_nearly_always_busy() {
        let after = |busy, threads| {
            is_full(Duration::from_millis(busy), threads, Duration::from_millis(100))
        };
        assert!(after(81, 1) && after(161, 2) && after(200, 2));
        assert!(!after(0, 1) && !after(79, 1) && !after(100, 2));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_is_computed_counts_as_busy() {
        let computing = tokio::spawn(async {
            let before = busy();
            while busy() - before < Duration::from_millis(100) {
                yield_now().await;
            }
        });
        timeout(Duration::from_secs(30), computing).await.expect("it counts").unwrap();
    }
}
