//! Sends orders to the publisher, as other programs would.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    http::Http,
    sample::{self, MAX_OPEN},
};

/// The most orders a second.
pub const MAX_RATE: u32 = 1_000;
/// The most orders at once.
pub const MAX_BURST: usize = 1_000;

/// Orders that are sent at a rate, until it is changed.
#[derive(Debug, Default)]
pub struct Traffic {
    rate: Mutex<Option<(u32, AbortOnDropHandle<()>)>>,
    counts: Arc<Counts>,
}

/// What became of the orders so far.
#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    failed: AtomicU64,
    failure: Mutex<String>,
}

/// What became of the orders so far.
#[derive(Debug)]
pub struct Sent {
    /// Stored.
    pub accepted: u64,
    /// Not stored, as far as is known.
    pub failed: u64,
    /// Why the last one failed.
    pub failure: String,
}

impl Traffic {
    /// How many orders are sent in a second.
    pub fn rate(&self) -> u32 {
        self.lock().as_ref().map_or(0, |(rate, _)| *rate)
    }

    /// The orders so far.
    pub fn sent(&self) -> Sent {
        let Counts { accepted, failed, failure } = &*self.counts;
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let failure = failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Sent { accepted: load(accepted), failed: load(failed), failure }
    }

    /// Sends orders at this rate from now on.
    pub fn set_rate(&self, http: &Http, page: &str, rate: u32) {
        let rate = rate.min(MAX_RATE);
        let sending = (rate > 0).then(|| {
            let sending = send_at(rate, http.clone(), page.to_owned(), self.counts.clone());
            (rate, AbortOnDropHandle::new(tokio::spawn(sending)))
        });
        *self.lock() = sending;
    }

    /// Sends this many orders at once.
    pub fn burst(&self, http: &Http, page: &str, count: usize) {
        let open = Arc::new(Semaphore::new(MAX_OPEN));
        for _ in 0..count.min(MAX_BURST) {
            let (http, page) = (http.clone(), page.to_owned());
            let (counts, open) = (self.counts.clone(), open.clone());
            tokio::spawn(async move {
                let _place = open.acquire().await;
                counts.add(sample::send(&http, &page, &sample::total()).await);
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(u32, AbortOnDropHandle<()>)>> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn add(&self, answer: anyhow::Result<String>) {
        match answer {
            Ok(_) => self.accepted.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                // It is the end of a sentence.
                *failure = format!("{error:#}").trim_end_matches('.').to_owned();
                self.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

async fn send_at(rate: u32, http: Http, page: String, counts: Arc<Counts>) {
    let open = Arc::new(Semaphore::new(MAX_OPEN));
    let mut due = interval(Duration::from_secs(1) / rate);
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        due.tick().await;
        let Ok(place) = open.clone().acquire_owned().await else { return };
        let (http, page, counts) = (http.clone(), page.clone(), counts.clone());
        tokio::spawn(async move {
            counts.add(sample::send(&http, &page, &sample::total()).await);
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_ends_without_a_full_stop_because_the_page_has_one() {
        let counts = Counts::default();
        counts.add(Err(anyhow::anyhow!("503: sending again would be safe.")));
        assert_eq!(*counts.failure.lock().unwrap(), "503: sending again would be safe");
    }
}
