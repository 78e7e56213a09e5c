//! Something that many ask for and that changes all the time: one attempt finds it out for all who
//! ask meanwhile and for a while after, and if it fails, it fails for all of them.
//!
//! An attempt costs requests to AWS. The more it needs, the longer its outcome is good, so what an
//! open page costs does not depend on what there is to see.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use tokio::{sync::watch, time::Instant};

/// How long a viewer waits for AWS. Without the subscriptions, the picture shows the orders alone.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// How long an outcome is good at least, be it a success or a failure: as long as a page waits
/// before it asks again.
const FRESH: Duration = Duration::from_secs(1);

/// A value that is found out again when somebody asks. A clone is cheap, and shares the value.
pub struct Fresh<T> {
    latest: Arc<Mutex<Option<Attempt<T>>>>,
    /// How many requests a second it may cost.
    rate: f64,
}

/// What an attempt found, and how many requests that took.
pub struct Found<T> {
    pub value: T,
    pub requests: usize,
}

type Outcome<T> = Result<Arc<T>, Arc<anyhow::Error>>;

/// An attempt: until when it is good, and how it ended. It goes on when nobody waits for it any
/// more.
type Attempt<T> = watch::Receiver<Option<(Instant, Outcome<T>)>>;

impl<T> Clone for Fresh<T> {
    fn clone(&self) -> Self {
        Self { latest: Arc::clone(&self.latest), rate: self.rate }
    }
}

impl<T: Send + Sync + 'static> Fresh<T> {
    /// Something that may cost `rate` requests a second while somebody asks all the time.
    pub fn at(rate: f64) -> Self {
        Self { latest: Arc::default(), rate }
    }

    /// The value of this moment, which `find` finds out unless another caller just did.
    ///
    /// # Errors
    ///
    /// If `find` fails, or has just failed for another caller.
    pub async fn get<F>(&self, find: impl FnOnce() -> F) -> anyhow::Result<Arc<T>>
    where
        F: Future<Output = anyhow::Result<Found<T>>> + Send + 'static,
    {
        let mut attempt = self.attempt(find);
        let ended = attempt.wait_for(Option::is_some).await.context("an attempt was aborted")?;
        let (_, outcome) = ended.as_ref().context("an attempt has no outcome")?;
        outcome.clone().map_err(|error| anyhow!("{error:#}"))
    }

    fn attempt<F>(&self, find: impl FnOnce() -> F) -> Attempt<T>
    where
        F: Future<Output = anyhow::Result<Found<T>>> + Send + 'static,
    {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some(attempt) if is_good(attempt) => attempt.clone(),
            _ => {
                let (ended, attempt) = watch::channel(None);
                let (find, rate) = (find(), self.rate);
                tokio::spawn(async move {
                    let found = find.await;
                    let requests = found.as_ref().map_or(0, |found| found.requests);
                    let good_for = Duration::from_secs_f64(requests as f64 / rate).max(FRESH);
                    let outcome = found.map(|found| Arc::new(found.value)).map_err(Arc::new);
                    ended.send_replace(Some((Instant::now() + good_for, outcome)));
                });
                latest.insert(attempt).clone()
            }
        }
    }
}

/// Whether an attempt is under way, or what it found is still good.
fn is_good<T>(attempt: &Attempt<T>) -> bool {
    match &*attempt.borrow() {
        Some((until, _)) => Instant::now() < *until,
        // Without a sender, it panicked.
        None => attempt.has_changed().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::{
        task::JoinSet,
        time::{sleep, timeout},
    };

    use super::*;

    const CALL: Duration = Duration::from_secs(9);

    fn found<T>(value: T, requests: usize) -> Found<T> {
        Found { value, requests }
    }

    /// Counts the attempts, each of which takes nine seconds.
    #[derive(Clone)]
    struct Slow {
        fresh: Fresh<usize>,
        attempts: Arc<AtomicUsize>,
    }

    impl Default for Slow {
        fn default() -> Self {
            Self { fresh: Fresh::at(1.0), attempts: Arc::default() }
        }
    }

    impl Slow {
        async fn ask(&self, succeeds: bool) -> anyhow::Result<Arc<usize>> {
            let attempts = Arc::clone(&self.attempts);
            let find = || async move {
                let attempt = attempts.fetch_add(1, Ordering::SeqCst);
                sleep(CALL).await;
                succeeds.then_some(found(attempt, 1)).context("no answer")
            };
            self.fresh.get(find).await
        }

        fn attempts(&self) -> usize {
            self.attempts.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn eight_who_ask_at_once_wait_for_one_attempt_whether_it_succeeds_or_not() {
        for succeeds in [true, false] {
            let (slow, started) = (Slow::default(), Instant::now());
            let mut viewers = JoinSet::new();
            for _ in 0..8 {
                let slow = slow.clone();
                viewers.spawn(async move { slow.ask(succeeds).await.is_ok() });
            }
            assert_eq!(viewers.join_all().await, [succeeds; 8]);
            assert_eq!((slow.attempts(), started.elapsed()), (1, CALL));
            // Somebody who asks right after gets the same at once.
            sleep(FRESH / 2).await;
            let error = slow.ask(true).await.map_err(|error| error.to_string()).err();
            assert_eq!(error.as_deref(), (!succeeds).then_some("no answer"));
            assert_eq!((slow.attempts(), started.elapsed()), (1, CALL + FRESH / 2));
            sleep(FRESH / 2).await;
            assert_eq!(*slow.ask(true).await.unwrap(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_more_requests_is_found_out_less_often() {
        for (requests, expected) in [(0, 60), (1, 30), (5, 6), (40, 1)] {
            let fresh: Fresh<()> = Fresh::at(0.5);
            let attempts = Arc::new(AtomicUsize::new(0));
            for _ in 0..60 {
                let attempts = Arc::clone(&attempts);
                let find = || async move {
                    attempts.fetch_add(1, Ordering::SeqCst);
                    anyhow::Ok(found((), requests))
                };
                fresh.get(find).await.unwrap();
                sleep(Duration::from_secs(1)).await;
            }
            assert_eq!(attempts.load(Ordering::SeqCst), expected, "{requests} requests");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_whose_viewer_has_gone_is_not_repeated_and_not_shown_when_it_is_old() {
        let slow = Slow::default();
        assert!(timeout(CALL / 3, slow.ask(true)).await.is_err());
        assert_eq!(*slow.ask(true).await.unwrap(), 0);
        assert!(timeout(FRESH * 2, slow.ask(true)).await.is_ok());
        sleep(FRESH).await;
        assert!(timeout(CALL / 3, slow.ask(true)).await.is_err());
        sleep(CALL * 100).await;
        assert_eq!(*slow.ask(true).await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_panic_the_next_one_tries_again() {
        let fresh = Fresh::at(1.0);
        let panicking = fresh.get(|| async { panic!("as a test") }).await;
        assert!(panicking.is_err());
        assert_eq!(*fresh.get(|| async { Ok(found(1, 1)) }).await.unwrap(), 1);
    }
}
