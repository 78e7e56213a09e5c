//! Something that many ask for and that changes all the time: one attempt finds it out for all who
//! ask meanwhile and shortly after, and if it fails, it fails for all of them.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use tokio::{sync::watch, time::Instant};

/// How long an outcome is good, be it a success or a failure. Pages ask a second after the last
/// answer, so that one page gets a new one each time, and many cost no more.
const FRESH: Duration = Duration::from_secs(1);

/// A value that is found out again when somebody asks. A clone is cheap, and shares the value.
pub struct Fresh<T> {
    latest: Arc<Mutex<Option<Attempt<T>>>>,
}

type Outcome<T> = Result<Arc<T>, Arc<anyhow::Error>>;

/// An attempt: when it ended, and how. It goes on when nobody waits for it any more.
type Attempt<T> = watch::Receiver<Option<(Instant, Outcome<T>)>>;

impl<T> Clone for Fresh<T> {
    fn clone(&self) -> Self {
        Self { latest: Arc::clone(&self.latest) }
    }
}

impl<T> Default for Fresh<T> {
    fn default() -> Self {
        Self { latest: Arc::default() }
    }
}

impl<T: Send + Sync + 'static> Fresh<T> {
    /// The value of this moment, which `find` finds out unless another caller just did.
    ///
    /// # Errors
    ///
    /// If `find` fails, or has just failed for another caller.
    pub async fn get<F>(&self, find: impl FnOnce() -> F) -> anyhow::Result<Arc<T>>
    where
        F: Future<Output = anyhow::Result<T>> + Send + 'static,
    {
        let mut attempt = self.attempt(find);
        let ended = attempt.wait_for(Option::is_some).await.context("an attempt was aborted")?;
        let (_, outcome) = ended.as_ref().context("an attempt has no outcome")?;
        outcome.clone().map_err(|error| anyhow!("{error:#}"))
    }

    fn attempt<F>(&self, find: impl FnOnce() -> F) -> Attempt<T>
    where
        F: Future<Output = anyhow::Result<T>> + Send + 'static,
    {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some(attempt) if is_good(attempt) => attempt.clone(),
            _ => {
                let (ended, attempt) = watch::channel(None);
                let find = find();
                tokio::spawn(async move {
                    let outcome = find.await.map(Arc::new).map_err(Arc::new);
                    ended.send_replace(Some((Instant::now(), outcome)));
                });
                latest.insert(attempt).clone()
            }
        }
    }
}

/// Whether an attempt is under way, or ended just now.
fn is_good<T>(attempt: &Attempt<T>) -> bool {
    match &*attempt.borrow() {
        Some((at, _)) => at.elapsed() < FRESH,
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

    /// Counts the attempts, each of which takes nine seconds.
    #[derive(Clone, Default)]
    struct Slow {
        fresh: Fresh<usize>,
        attempts: Arc<AtomicUsize>,
    }

    impl Slow {
        async fn ask(&self, succeeds: bool) -> anyhow::Result<Arc<usize>> {
            let attempts = Arc::clone(&self.attempts);
            let find = || async move {
                let attempt = attempts.fetch_add(1, Ordering::SeqCst);
                sleep(CALL).await;
                succeeds.then_some(attempt).context("no answer")
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
    async fn five_pages_cost_what_one_costs() {
        let cost = async |pages: usize| {
            let fresh: Fresh<()> = Fresh::default();
            let attempts = Arc::new(AtomicUsize::new(0));
            let mut open = JoinSet::new();
            for page in 0..pages {
                let (fresh, attempts) = (fresh.clone(), Arc::clone(&attempts));
                open.spawn(async move {
                    sleep(Duration::from_millis(137) * page as u32).await;
                    loop {
                        let find = || async { anyhow::Ok(()) };
                        let counted = || {
                            attempts.fetch_add(1, Ordering::SeqCst);
                            find()
                        };
                        fresh.get(counted).await.unwrap();
                        sleep(Duration::from_secs(1)).await;
                    }
                });
            }
            sleep(Duration::from_secs(60)).await;
            attempts.load(Ordering::SeqCst)
        };
        let (one, five) = (cost(1).await, cost(5).await);
        assert!((59..=61).contains(&one), "{one}");
        assert!(five <= one, "five pages cost {five}, one {one}");
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
        let fresh = Fresh::default();
        let panicking = fresh.get(|| async { panic!("as a test") }).await;
        assert!(panicking.is_err());
        assert_eq!(*fresh.get(|| async { Ok(1) }).await.unwrap(), 1);
    }
}
