//! Live state for many viewers: one watcher for each thing, however many look at it.
//!
//! Any process may change a thing. What is changed in this one is passed on at once
//! ([`Watchers::changed`]); what another process changed is found by reading again, soon at first
//! and then more and more seldom. So no process needs to know of the others.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Stream, StreamExt as _, stream::unfold};
use thiserror::Error;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

#[cfg(test)]
mod tests;

/// How soon a watcher reads again after it saw a change, and how seldom it may become.
const READ_FIRST: Duration = Duration::from_millis(200);
const READ_SELDOM: Duration = Duration::from_secs(2);
/// A viewer that wants more comes again.
const VIEW_MAX: Duration = Duration::from_secs(120);

/// Something that changes.
pub trait Watched: Clone + Send + Sync + 'static {
    /// A number that grows with each change.
    fn version(&self) -> u64;
    /// Whether no change is expected any more.
    fn is_final(&self) -> bool;
}

/// Why there is nothing to see.
#[derive(Debug, Error)]
pub enum Unseen {
    /// As many look already as there may be at once.
    #[error("too many are looking")]
    TooMany,
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] anyhow::Error),
}

type Reading<V> = Pin<Box<dyn Future<Output = anyhow::Result<Option<V>>> + Send>>;

/// The watchers of a process. A clone is cheap, and shares them.
pub struct Watchers<K, V>(Arc<Shared<K, V>>);

struct Shared<K, V> {
    read: Box<dyn Fn(K) -> Reading<V> + Send + Sync>,
    watched: Mutex<HashMap<K, watch::Sender<V>>>,
    viewers: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl<K, V> Clone for Watchers<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Watchers<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Watched,
{
    /// Watchers that see what `read` finds, for at most `max_viewers` at once, until `shutdown` is
    /// cancelled.
    pub fn new<F>(
        max_viewers: usize,
        shutdown: CancellationToken,
        read: impl Fn(K) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = anyhow::Result<Option<V>>> + Send + 'static,
    {
        Self(Arc::new(Shared {
            read: Box::new(move |key| Box::pin(read(key))),
            watched: Mutex::default(),
            viewers: Arc::new(Semaphore::new(max_viewers)),
            shutdown,
        }))
    }

    /// Passes on what was changed in this process.
    pub fn changed(&self, key: &K, value: V) {
        if let Some(state) = self.0.watched().get(key) {
            offer(state, value);
        }
    }

    /// The states of the thing `key`: the present one, unless the viewer knows its version, and
    /// each later one. It ends with the final one, after two minutes, or when the process does.
    ///
    /// `None` if there is no such thing.
    ///
    /// # Errors
    ///
    /// [`Unseen`]
    pub async fn view(
        &self,
        key: K,
        known: Option<u64>,
    ) -> Result<Option<impl Stream<Item = V> + Send + use<K, V>>, Unseen> {
        let viewer = Arc::clone(&self.0.viewers).try_acquire_owned();
        let viewer = viewer.map_err(|_| Unseen::TooMany)?;
        let Some(state) = self.look(key).await? else {
            return Ok(None);
        };
        let view =
            View { state, known, until: tokio::time::Instant::now() + VIEW_MAX, _viewer: viewer };
        let ended = self.0.shutdown.clone().cancelled_owned();
        Ok(Some(unfold(view, View::next).take_until(Box::pin(ended))))
    }

    async fn look(&self, key: K) -> anyhow::Result<Option<watch::Receiver<V>>> {
        if let Some(state) = self.0.watched().get(&key) {
            return Ok(Some(state.subscribe()));
        }
        let Some(value) = (self.0.read)(key).await? else {
            return Ok(None);
        };
        let mut watched = self.0.watched();
        // Somebody else may have come meanwhile.
        if let Some(state) = watched.get(&key) {
            offer(state, value);
            return Ok(Some(state.subscribe()));
        }
        let (state, receiver) = watch::channel(value);
        watched.insert(key, state.clone());
        tokio::spawn(Arc::clone(&self.0).keep_reading(key, state));
        Ok(Some(receiver))
    }
}

impl<K, V> Shared<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Watched,
{
    fn watched(&self) -> MutexGuard<'_, HashMap<K, watch::Sender<V>>> {
        // No code that can panic runs under the lock.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_reading(self: Arc<Self>, key: K, state: watch::Sender<V>) {
        let mut pause = READ_FIRST;
        while !self.is_over(&key, &state) {
            tokio::select! {
                () = state.closed() => continue,
                () = self.shutdown.cancelled() => continue,
                () = sleep(pause) => {}
            }
            if state.borrow().is_final() {
                continue;
            }
            let changed = match (self.read)(key).await {
                Ok(value) => value.is_some_and(|value| offer(&state, value)),
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "cannot see what changed");
                    false
                }
            };
            pause = if changed { READ_FIRST } else { (pause * 3 / 2).min(READ_SELDOM) };
        }
    }

    /// Whether there is nothing left to watch, or nobody to watch for; then the watcher is gone.
    fn is_over(&self, key: &K, state: &watch::Sender<V>) -> bool {
        // Under the lock nobody else begins to look.
        let mut watched = self.watched();
        let over = state.receiver_count() == 0
            || state.borrow().is_final()
            || self.shutdown.is_cancelled();
        if over {
            watched.remove(key);
        }
        over
    }
}

/// Takes `value` for the state if it is newer.
fn offer<V: Watched>(state: &watch::Sender<V>, value: V) -> bool {
    state.send_if_modified(|current| {
        let newer = value.version() > current.version();
        if newer {
            *current = value;
        }
        newer
    })
}

struct View<V> {
    state: watch::Receiver<V>,
    /// The version that the viewer has seen: maybe at another process, which knew more.
    known: Option<u64>,
    until: tokio::time::Instant,
    _viewer: OwnedSemaphorePermit,
}

impl<V: Watched> View<V> {
    async fn next(mut self) -> Option<(V, Self)> {
        loop {
            let value = self.state.borrow_and_update().clone();
            if self.known.is_none_or(|known| known < value.version()) {
                self.known = Some(value.version());
                return Some((value, self));
            }
            if value.is_final() {
                return None;
            }
            timeout_at(self.until, self.state.changed()).await.ok()?.ok()?;
        }
    }
}
