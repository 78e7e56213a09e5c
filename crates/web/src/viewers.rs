//! How many live streams there may be: in all, and for each client.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use opentelemetry::metrics::ObservableGauge;
use pubsub::metrics;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::client::Client;

static OPEN: AtomicU64 = AtomicU64::new(0);

/// A gauge: the collector would give CloudWatch the changes of a counter that goes up and down.
static SHOWN: LazyLock<ObservableGauge<u64>> = LazyLock::new(|| {
    let meter = metrics::meter();
    let gauge = meter.u64_observable_gauge("http.server.streams");
    let gauge = gauge.with_unit("{stream}").with_description("Live streams that are open");
    gauge.with_callback(|shown| shown.observe(OPEN.load(Ordering::Relaxed), &[])).build()
});

/// The most viewers at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All of them.
    pub in_all: usize,
    /// Those of one client.
    pub of_a_client: usize,
}

/// The viewers at present.
#[derive(Clone, Debug)]
pub struct Viewers {
    places: Arc<Semaphore>,
    of_a_client: usize,
    by_client: Arc<Mutex<HashMap<Client, usize>>>,
}

/// A viewer, until it is dropped.
#[derive(Debug)]
pub struct Viewer {
    client: Client,
    by_client: Arc<Mutex<HashMap<Client, usize>>>,
    _place: OwnedSemaphorePermit,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// That of all viewers.
    InAll,
    /// That of this client.
    OfThisClient,
}

impl Viewers {
    /// No viewers yet.
    pub fn new(limits: Limits) -> Self {
        LazyLock::force(&SHOWN);
        Self {
            places: Arc::new(Semaphore::new(limits.in_all)),
            of_a_client: limits.of_a_client,
            by_client: Arc::default(),
        }
    }

    /// A viewer more.
    ///
    /// # Errors
    ///
    /// If a limit is reached; the client's own one is named first.
    pub fn enter(&self, client: Client) -> Result<Viewer, Reached> {
        let mut by_client = locked(&self.by_client);
        if by_client.get(&client).is_some_and(|count| *count >= self.of_a_client) {
            return Err(Reached::OfThisClient);
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Reached::InAll)?;
        *by_client.entry(client).or_default() += 1;
        OPEN.fetch_add(1, Ordering::Relaxed);
        Ok(Viewer { client, by_client: Arc::clone(&self.by_client), _place: place })
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
        let mut by_client = locked(&self.by_client);
        if let Some(count) = by_client.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                by_client.remove(&self.client);
            }
        }
    }
}

/// Counting cannot panic, so the data behind a poisoned lock is right.
fn locked(by_client: &Mutex<HashMap<Client, usize>>) -> MutexGuard<'_, HashMap<Client, usize>> {
    by_client.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    fn client(address: &str) -> Client {
        Client::of(address.parse().unwrap(), &HeaderMap::new(), 0)
    }

    #[test]
    fn one_client_cannot_take_the_places_of_all() {
        let viewers = Viewers::new(Limits { in_all: 3, of_a_client: 2 });
        let (ada, bob) = (client("203.0.113.1"), client("203.0.113.2"));
        let mut of_ada: Vec<_> = (0..2).map(|_| viewers.enter(ada).unwrap()).collect();
        assert_eq!(viewers.enter(ada).err(), Some(Reached::OfThisClient));
        let of_bob = viewers.enter(bob).unwrap();
        assert_eq!(viewers.enter(bob).err(), Some(Reached::InAll));
        of_ada.pop();
        drop(viewers.enter(ada).unwrap());
        drop((of_ada, of_bob));
        assert!(locked(&viewers.by_client).is_empty());
    }
}
