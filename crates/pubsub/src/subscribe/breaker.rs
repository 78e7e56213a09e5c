//! Slows a worker down while what its handlers depend on is unavailable.
//!
//! It limits how many handlers run at once. Each failure of a dependency halves the limit, and each
//! success adds one. At a limit of one the breaker is open: no more messages are received, and one
//! handler at a time tries, after pauses that grow. So a dependency that is down is asked seldom,
//! one that recovers is not knocked over, and a lasting outage uses up no receives.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::back_off::full_jitter;

const PAUSE_BASE: Duration = Duration::from_millis(200);
/// The longest time from the end of an outage to the next try.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// A limit on the handlers that run at once.
pub struct Breaker {
    most: usize,
    /// Whether the limit is below `most`, or the breaker is open. If not, nothing is counted.
    limiting: AtomicBool,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    limit: usize,
    running: usize,
    /// Failures since the last success, at a limit of one.
    failures: u32,
    /// When the next handler may start.
    next_at: Instant,
}

/// A handler that may run. Dropping it makes room for another.
pub struct Slot<'a>(Option<&'a Breaker>);

impl Breaker {
    /// A closed breaker, which lets `most` handlers run.
    pub fn new(most: usize) -> Self {
        let state = State { limit: most, running: 0, failures: 0, next_at: Instant::now() };
        let (state, limiting) = (Mutex::new(state), AtomicBool::new(false));
        Self { most, limiting, state, changed: Notify::new() }
    }

    /// Waits until a handler may run.
    pub async fn slot(&self) -> Slot<'_> {
        while self.is_limiting() {
            let changed = self.changed.notified();
            let wait_until = {
                let mut state = self.lock();
                let now = Instant::now();
                if state.running < state.limit && state.next_at <= now {
                    state.running += 1;
                    return Slot(Some(self));
                }
                (state.running < state.limit).then_some(state.next_at)
            };
            match wait_until {
                Some(at) => drop(timeout_at(at, changed).await),
                None => changed.await,
            }
        }
        Slot(None)
    }

    /// Waits until the breaker is closed, and returns how many handlers may run.
    pub async fn closed(&self) -> usize {
        while self.is_limiting() {
            let changed = self.changed.notified();
            {
                let state = self.lock();
                if !state.is_open() {
                    return state.limit;
                }
            }
            changed.await;
        }
        self.most
    }

    /// Whether a dependency failed lately.
    pub fn is_limiting(&self) -> bool {
        self.limiting.load(Ordering::Relaxed)
    }

    /// Whether the breaker is open: only single handlers run, as probes.
    pub fn is_open(&self) -> bool {
        self.lock().is_open()
    }

    /// Records that a handler succeeded.
    pub fn succeeded(&self) {
        if !self.is_limiting() {
            return;
        }
        let mut state = self.lock();
        if state.is_open() {
            tracing::info!("dependencies are available again; receiving messages");
        }
        state.failures = 0;
        state.limit = (state.limit + 1).min(self.most);
        state.next_at = Instant::now();
        self.limiting.store(state.limit < self.most, Ordering::Relaxed);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Records that a handler failed because a dependency is unavailable.
    pub fn failed(&self) {
        let mut state = self.lock();
        let now = Instant::now();
        if state.is_open() && now < state.next_at {
            // It started before the breaker opened, so it says nothing new.
            return;
        }
        state.limit = (state.limit / 2).max(1);
        self.limiting.store(true, Ordering::Relaxed);
        if state.limit == 1 {
            if !state.is_open() {
                tracing::warn!("dependencies are unavailable; not receiving messages");
            }
            state.failures += 1;
            let pause = full_jitter(PAUSE_BASE, PAUSE_MAX, state.failures);
            state.next_at = now + pause.max(PAUSE_BASE);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Code that holds the lock cannot panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_open(&self) -> bool {
        self.failures > 0
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if let Some(breaker) = self.0 {
            breaker.lock().running -= 1;
            breaker.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// How many handlers may run; `None` while the breaker is open.
    async fn limit(breaker: &Breaker) -> Option<usize> {
        timeout(Duration::from_millis(1), breaker.closed()).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_halves_the_limit_and_a_success_adds_one() {
        let breaker = Breaker::new(10);
        let mut limits = Vec::new();
        for is_failure in [true, true, false, true, true, false, false] {
            if is_failure {
                breaker.failed()
            } else {
                breaker.succeeded()
            }
            limits.push(limit(&breaker).await);
        }
        let expected = [Some(5), Some(2), Some(3), None, None, Some(2), Some(3)];
        assert_eq!(limits, expected);
        for successes in 4..=10 {
            assert!(breaker.is_limiting(), "before success {successes}");
            breaker.succeeded();
        }
        assert!(!breaker.is_limiting());
        assert_eq!(limit(&breaker).await, Some(10));
    }

    #[tokio::test(start_paused = true)]
    async fn handlers_that_began_before_it_opened_do_not_make_the_pause_longer() {
        for _ in 0..10 {
            let breaker = Breaker::new(64);
            (0..64).for_each(|_| breaker.failed());
            let opened = Instant::now();
            breaker.slot().await;
            assert!(opened.elapsed() <= 2 * PAUSE_BASE, "{:?}", opened.elapsed());
        }
    }
}
