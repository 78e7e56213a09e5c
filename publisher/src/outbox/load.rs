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
        let busy = self.busy.saturating_sub(last.busy).as_secs_f64();
        let threads = Handle::current().metrics().num_workers() as f64;
        busy >= FULL * threads * self.looked_at.duration_since(last.looked_at).as_secs_f64()
    }
}

/// For how long the threads had something to do so far, together.
fn busy() -> Duration {
    let metrics = Handle::current().metrics();
    (0..metrics.num_workers()).map(|thread| metrics.worker_total_busy_duration(thread)).sum()
}

#[cfg(test)]
mod tests {
    use tokio::{task::yield_now, time::sleep};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_process_is_full_while_it_computes_and_not_while_it_waits() {
        const WHILE: Duration = Duration::from_millis(200);
        let looks = tokio::spawn(async {
            let mut load = Load::new();
            sleep(WHILE).await;
            let waiting = load.is_full();
            let until = Instant::now() + WHILE;
            while Instant::now() < until {
                let millisecond = Instant::now() + Duration::from_millis(1);
                while Instant::now() < millisecond {}
                yield_now().await;
            }
            (waiting, load.is_full())
        });
        assert_eq!(looks.await.unwrap(), (false, true));
    }
}
