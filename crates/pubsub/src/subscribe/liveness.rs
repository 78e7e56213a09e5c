//! Tells a healthy worker from one that is merely running.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::queue::CallFailed;

/// How much longer than its wait a poll may take.
const POLL_GRACE: Duration = Duration::from_secs(30);
/// How long ago the lease renewal task may last have run.
const RENEWAL_GRACE: Duration = Duration::from_secs(30);

/// When the tasks of a worker last made progress.
pub struct Liveness(Mutex<State>);

struct State {
    /// When a poll last succeeded.
    polled: Instant,
    /// When the poll in progress started; `None` while no poll is waiting.
    waiting_since: Option<Instant>,
    /// Why SQS denies receiving.
    denial: Option<String>,
    /// Why SQS denies deleting.
    delete_denial: Option<String>,
    /// When the lease renewal task last ran.
    renewal_ticked: Instant,
}

impl Liveness {
    pub fn new() -> Self {
        let now = Instant::now();
        Self(Mutex::new(State {
            polled: now,
            waiting_since: None,
            denial: None,
            delete_denial: None,
            renewal_ticked: now,
        }))
    }

    /// Records the start of a poll.
    pub fn poll_started(&self) {
        self.lock().waiting_since.get_or_insert_with(Instant::now);
    }

    /// Records the end of a poll.
    pub fn poll_ended(&self, failure: Option<&CallFailed>) {
        let mut state = self.lock();
        match failure {
            None => {
                state.polled = Instant::now();
                state.waiting_since = None;
                state.denial = None;
            }
            Some(failure) => {
                // SQS is away, or the network is. A new process could not receive either.
                state.waiting_since = None;
                if failure.is_permanent {
                    state.denial = Some(failure.to_string());
                }
            }
        }
    }

    /// Records that a delete failed.
    pub fn delete_failed(&self, failure: &CallFailed) {
        if failure.is_permanent {
            self.lock().delete_denial = Some(failure.to_string());
        }
    }

    /// Records that SQS answered a delete.
    pub fn delete_succeeded(&self) {
        self.lock().delete_denial = None;
    }

    /// Records that the lease renewal task runs.
    pub fn renewal_ticked(&self) {
        self.lock().renewal_ticked = Instant::now();
    }

    /// How long ago a poll last succeeded. `receive_wait` is how long a poll waits for messages.
    ///
    /// # Errors
    ///
    /// A sentence with the reason, if the worker is unhealthy.
    pub fn examine(&self, receive_wait: Duration) -> Result<Duration, String> {
        let state = self.lock();
        let (since_poll, since_tick) = (state.polled.elapsed(), state.renewal_ticked.elapsed());
        let waiting = state.waiting_since.map_or(Duration::ZERO, |at| at.elapsed());
        if let Some(reason) = &state.denial {
            return Err(format!("cannot receive from the queue: {reason}"));
        }
        if let Some(reason) = &state.delete_denial {
            return Err(format!("cannot delete from the queue: {reason}"));
        }
        if waiting > receive_wait + POLL_GRACE {
            return Err(format!("a poll has not ended for {} s", waiting.as_secs()));
        }
        if since_tick > RENEWAL_GRACE {
            let seconds = since_tick.as_secs();
            return Err(format!("the lease renewal task has not run for {seconds} s"));
        }
        Ok(since_poll)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Code that holds the lock cannot panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
