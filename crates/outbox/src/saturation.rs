//! Whether the process is saturated.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// The share of the time from which on the runtime's threads count as saturated.
const SATURATED: f64 = 0.8;

/// How busy the threads of the runtime were since the last measurement.
pub struct Saturation {
    measured_at: Instant,
    busy: Duration,
}

impl Saturation {
    /// Starts measuring.
    pub fn new() -> Self {
        Self { measured_at: Instant::now(), busy: busy() }
    }

    /// Whether the threads were nearly always busy since the last call.
    pub fn is_reached(&mut self) -> bool {
        let last = std::mem::replace(self, Self::new());
        let threads = Handle::current().metrics().num_workers();
        let busy = self.busy.saturating_sub(last.busy);
        is_saturated(busy, threads, self.measured_at.duration_since(last.measured_at))
    }
}

fn is_saturated(busy: Duration, threads: usize, time: Duration) -> bool {
    busy.as_secs_f64() >= SATURATED * threads as f64 * time.as_secs_f64()
}

/// How long the threads were busy so far, added up.
fn busy() -> Duration {
    let metrics = Handle::current().metrics();
    (0..metrics.num_workers()).map(|thread| metrics.worker_total_busy_duration(thread)).sum()
}

#[cfg(test)]
mod tests {
    use tokio::{task::yield_now, time::timeout};

    use super::*;

    #[test]
    fn a_process_is_saturated_when_all_its_threads_are_nearly_always_busy() {
        let after = |busy, threads| {
            is_saturated(Duration::from_millis(busy), threads, Duration::from_millis(100))
        };
        assert!(after(81, 1) && after(161, 2) && after(200, 2));
        assert!(!after(0, 1) && !after(79, 1) && !after(100, 2));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn computing_counts_as_busy() {
        let computing = tokio::spawn(async {
            let before = busy();
            while busy() - before < Duration::from_millis(100) {
                yield_now().await;
            }
        });
        timeout(Duration::from_secs(30), computing).await.expect("it counts").unwrap();
    }
}
