//! Tells a healthy worker from one that is merely running.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::queue::CallFailed;

/// How late a poll may be, beyond the wait that it was asked for.
const POLL_GRACE: Duration = Duration::from_secs(30);
/// How long the keeper of leases may be silent: longer than its calls may take.
const KEEPER_GRACE: Duration = Duration::from_secs(30);

/// When what last happened.
pub struct VitalSigns(Mutex<Signs>);

struct Signs {
    /// When the last poll was answered.
    polled: Instant,
    /// Since when polls wait for an answer; `None` while there is no room for a poll.
    unanswered: Option<Instant>,
    /// Why the queue refuses to be received from.
    refusal: Option<String>,
    ticked: Instant,
}

impl VitalSigns {
    pub fn new() -> Self {
        let now = Instant::now();
        Self(Mutex::new(Signs { polled: now, unanswered: None, refusal: None, ticked: now }))
    }

    /// A poll begins.
    pub fn polls(&self) {
        self.lock().unanswered.get_or_insert_with(Instant::now);
    }

    /// A poll was answered. A failure that may pass leaves the last success where it was.
    pub fn polled(&self, failure: Option<&CallFailed>) {
        let mut signs = self.lock();
        match failure {
            None => {
                signs.polled = Instant::now();
                signs.unanswered = None;
                signs.refusal = None;
            }
            Some(failure) if failure.refused => signs.refusal = Some(failure.to_string()),
            Some(_) => {}
        }
    }

    /// The keeper of leases looked.
    pub fn ticked(&self) {
        self.lock().ticked = Instant::now();
    }

    /// How long ago the last poll was answered.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong. `receive_wait` is how long a poll may wait for messages.
    pub fn examine(&self, receive_wait: Duration) -> Result<Duration, String> {
        let signs = self.lock();
        let (since_poll, since_tick) = (signs.polled.elapsed(), signs.ticked.elapsed());
        let unanswered = signs.unanswered.map_or(Duration::ZERO, |at| at.elapsed());
        if let Some(refusal) = &signs.refusal {
            return Err(format!("the queue refuses to be received from: {refusal}"));
        }
        if unanswered > receive_wait + POLL_GRACE {
            return Err(format!("no poll was answered for {} s", unanswered.as_secs()));
        }
        if since_tick > KEEPER_GRACE {
            return Err(format!("leases were not renewed for {} s", since_tick.as_secs()));
        }
        Ok(since_poll)
    }

    fn lock(&self) -> MutexGuard<'_, Signs> {
        // No code that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
