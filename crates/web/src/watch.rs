//! Live state for many viewers: one watcher for each thing, no matter how many viewers it has.
//!
//! Any process may change a thing. A change made in this process reaches the viewers at once
//! ([`Watchers::changed`]). A change made in another process is found by reading the thing again,
//! soon after a change and then less and less often. No process needs to know about the others.

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
    sync::{Semaphore, watch},
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    client::Client,
    viewers::{Limits, Reached, Viewer, Viewers},
};

#[cfg(test)]
mod tests;

/// How long a watcher waits before it reads again: the least, after a change, and the most.
const READ_FIRST: Duration = Duration::from_millis(200);
const READ_SELDOM: Duration = Duration::from_secs(2);
/// How long a stream may last. The viewer then opens another.
const VIEW_MAX: Duration = Duration::from_secs(120);
/// How many watchers read at once. If reading hangs, the others wait, and hold nothing.
const MAX_READING: usize = 50;

/// Something that changes.
pub trait Watched: Clone + Send + Sync + 'static {
    /// A number that grows with each change.
    fn version(&self) -> u64;
    /// Whether it is done and has not changed for a while, so that streams of it may end.
    ///
    /// This may become true as time passes, without a new version.
    fn is_settled(&self) -> bool;
}

/// Why there is no stream.
#[derive(Debug, Error)]
pub enum NoStream {
    /// There is no such thing.
    #[error("not found")]
    NotFound,
    /// The thing is settled, and the viewer knows its present version.
    #[error("nothing more will change")]
    UpToDate,
    /// A limit of concurrent viewers is reached.
    #[error("too many viewers")]
    TooManyViewers(Reached),
    /// The thing cannot be read.
    #[error(transparent)]
    Unreadable(#[from] anyhow::Error),
}

type Reading<V> = Pin<Box<dyn Future<Output = anyhow::Result<Option<V>>> + Send>>;

/// The watchers of a process. A clone is cheap and shares them.
pub struct Watchers<K, V>(Arc<Shared<K, V>>);

struct Shared<K, V> {
    read: Box<dyn Fn(K) -> Reading<V> + Send + Sync>,
    watched: Mutex<HashMap<K, watch::Sender<V>>>,
    viewers: Viewers,
    reading: Semaphore,
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
    /// Watchers that `read` things for concurrent viewers within `limits`, until `shutdown` is
    /// cancelled.
    pub fn new<F>(
        limits: Limits,
        shutdown: CancellationToken,
        read: impl Fn(K) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = anyhow::Result<Option<V>>> + Send + 'static,
    {
        Self(Arc::new(Shared {
            read: Box::new(move |key| Box::pin(read(key))),
            watched: Mutex::default(),
            viewers: Viewers::new(limits),
            reading: Semaphore::new(MAX_READING),
            shutdown,
        }))
    }

    /// Shows a change that was made in this process to the viewers.
    pub fn changed(&self, key: &K, value: V) {
        if let Some(state) = self.0.watched().get(key) {
            offer(state, value);
        }
    }

    /// The states of the thing `key` for a viewer at `client`: the present one, unless its version
    /// is the `known` one, and each later one. The stream ends when the thing is settled, after two
    /// minutes, or when the process shuts down.
    ///
    /// # Errors
    ///
    /// [`NoStream`]
    pub async fn view(
        &self,
        key: K,
        known: Option<u64>,
        client: Client,
    ) -> Result<impl Stream<Item = V> + Send + use<K, V>, NoStream> {
        let viewer = self.0.viewers.enter(client).map_err(NoStream::TooManyViewers)?;
        let state = match self.subscribe(key) {
            Some(state) => state,
            None => {
                let value = (self.0.read)(key).await?.ok_or(NoStream::NotFound)?;
                if value.is_settled() && known == Some(value.version()) {
                    return Err(NoStream::UpToDate);
                }
                self.watch(key, value)
            }
        };
        let view = View { state, known, until: Instant::now() + VIEW_MAX, _viewer: viewer };
        let shutdown = self.0.shutdown.clone().cancelled_owned();
        Ok(unfold(view, View::next).take_until(Box::pin(shutdown)))
    }

    /// The state of a thing that is watched already. A settled one is read again: what its watcher
    /// read may be out of date, and a viewer that has seen everything does not ask again.
    fn subscribe(&self, key: K) -> Option<watch::Receiver<V>> {
        let watched = self.0.watched();
        let state = watched.get(&key).filter(|state| !state.borrow().is_settled());
        state.map(watch::Sender::subscribe)
    }

    /// The state of a thing that was just read, with a watcher unless it is settled.
    fn watch(&self, key: K, value: V) -> watch::Receiver<V> {
        let mut watched = self.0.watched();
        // Another viewer may have started a watcher meanwhile.
        if let Some(state) = watched.get(&key) {
            offer(state, value);
            return state.subscribe();
        }
        let settled = value.is_settled();
        let (state, receiver) = watch::channel(value);
        if !settled {
            watched.insert(key, state.clone());
            tokio::spawn(Arc::clone(&self.0).keep_reading(key, state));
        }
        receiver
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
            let Ok(_reading) = self.reading.acquire().await else { continue };
            let changed = match (self.read)(key).await {
                Ok(value) => value.is_some_and(|value| offer(&state, value)),
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "cannot read for live viewers");
                    false
                }
            };
            pause = if changed { READ_FIRST } else { (pause * 3 / 2).min(READ_SELDOM) };
        }
    }

    /// Whether the thing is settled, has no viewers left, or the process shuts down. The watcher
    /// is then removed, and the streams of its viewers end once they have seen the last state.
    fn is_over(&self, key: &K, state: &watch::Sender<V>) -> bool {
        // While the lock is held, no viewer can subscribe.
        let mut watched = self.watched();
        let over = state.receiver_count() == 0
            || state.borrow().is_settled()
            || self.shutdown.is_cancelled();
        if over {
            watched.remove(key);
        }
        over
    }
}

/// Makes `value` the state if it is newer.
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
    /// The latest version that the viewer has seen, perhaps a newer one in another process.
    known: Option<u64>,
    until: Instant,
    _viewer: Viewer,
}

impl<V: Watched> View<V> {
    async fn next(mut self) -> Option<(V, Self)> {
        loop {
            let value = self.state.borrow_and_update().clone();
            if self.known.is_none_or(|known| known < value.version()) {
                self.known = Some(value.version());
                return Some((value, self));
            }
            // This fails once the thing has no watcher any more.
            timeout_at(self.until, self.state.changed()).await.ok()?.ok()?;
        }
    }
}
