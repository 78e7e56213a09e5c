//! A limit of work under way. What comes beyond it is refused at once, while the client waits for
//! nothing and costs nothing.
//!
//! When what is behind the gate hangs, requests pile up in front of it. The limit bounds how many
//! sockets and how much memory they hold, and everything else is served as usual.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::problem::Problem;

#[cfg(test)]
mod tests;

/// How often the log says that work is refused.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// A limit of work under way. A clone is cheap, and shares the limit.
#[derive(Clone, Debug)]
pub struct Gate {
    work: &'static str,
    places: Arc<Semaphore>,
    refused: Arc<Mutex<Refused>>,
}

/// What was refused since the log said so.
#[derive(Debug, Default)]
struct Refused {
    count: u64,
    logged_at: Option<Instant>,
}

/// The right to be under way, until it is dropped.
#[derive(Debug)]
#[must_use = "work is under way while this is held"]
pub struct Place(#[expect(dead_code, reason = "it is only held")] OwnedSemaphorePermit);

impl Gate {
    /// At most `limit` pieces of `work` under way, such as "orders".
    pub fn new(work: &'static str, limit: usize) -> Self {
        Self { work, places: Arc::new(Semaphore::new(limit)), refused: Arc::default() }
    }

    /// A place for a piece of work.
    ///
    /// # Errors
    ///
    /// [`Problem::overloaded`] if there is none; it does not wait.
    pub fn enter(&self) -> Result<Place, Problem> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map(Place).map_err(|_| {
            self.log_refusal();
            Problem::overloaded(self.work)
        })
    }

    fn log_refusal(&self) {
        // No code that can panic runs under the lock.
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.count += 1;
        if refused.logged_at.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            let (work, count) = (self.work, refused.count);
            tracing::warn!(work, refused = count, "too many are under way: refused the others");
            *refused = Refused { count: 0, logged_at: Some(Instant::now()) };
        }
    }
}

/// Handles a request if it gets a place, which it has until its response begins.
pub async fn limited(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match gate.enter() {
        Ok(_place) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
