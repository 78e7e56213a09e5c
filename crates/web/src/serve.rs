//! Serves a router over HTTP/1.1 to clients that may be slow, hostile, or too many.
//!
//! Each connection has a place, of which there are few enough for memory and file descriptors, and
//! a client that is too slow loses it.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, response::Response};
use clap::Args;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use pubsub::env::Misconfigured;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service as _;

use crate::client::Client;

mod patience;

#[cfg(test)]
mod tests;

use patience::{Patience, Turn};

/// The most connections at once: those of 1,000 live streams and of 150 requests under way, and
/// some more.
const MAX_CONNECTIONS: usize = 1_500;
/// This many more are accepted for one response within a few seconds. So idle connections block
/// neither a health check nor a customer, who gets at least an error.
const MAX_BRIEF: usize = 100;
const BRIEF: Duration = Duration::from_secs(5);
/// How long a connection may be idle between requests: longer than the 60 s after which load
/// balancers close theirs. Otherwise one might send a request into a connection that is closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// The largest head of a request, in bytes, and the most headers.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 100;
/// The pause after a failure to accept, such as when no file descriptors are left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Where a web service listens, as a group of `clap` arguments.
#[derive(Args, Clone, Copy, Debug)]
#[group(skip)] // groups share one namespace with those of the service
pub struct Address {
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", env = "HOST", default_value = "0.0.0.0")]
    host: IpAddr,
    /// The port to listen on
    #[arg(long, env = "PORT", default_value_t = 5000)]
    port: u16,
    /// The proxies in front, each of which adds to X-Forwarded-For the address that it sees
    #[arg(long, value_name = "COUNT", env = "PROXIES", default_value_t = 0)]
    pub proxies: usize,
}

impl Address {
    /// Listens there.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if it cannot, for example because the port is in use.
    pub async fn listen(&self) -> anyhow::Result<TcpListener> {
        let Self { host, port, .. } = self;
        let listener = TcpListener::bind((*host, *port)).await;
        let refused = |error| format!("cannot listen on HOST {host}, PORT {port}: {error}");
        let listener = listener.map_err(|error| Misconfigured(refused(error)))?;
        tracing::info!(address = %listener.local_addr()?, "listening");
        Ok(listener)
    }
}

/// Serves `router` until `shutdown` is cancelled; then requests in progress have the time `drain`.
/// The connections that are still open are closed when this returns or is dropped.
///
/// In front are `proxies` proxies that add to `X-Forwarded-For`: see [`Client::of`].
pub async fn serve(
    listener: TcpListener,
    router: Router,
    proxies: usize,
    shutdown: CancellationToken,
    drain: Duration,
) {
    let server = Server { router, proxies, shutdown };
    server.serve(listener, Places::new(MAX_CONNECTIONS, MAX_BRIEF), drain).await;
}

/// What all connections share.
#[derive(Clone)]
struct Server {
    router: Router,
    proxies: usize,
    shutdown: CancellationToken,
}

/// The places of connections.
struct Places {
    lasting: Arc<Semaphore>,
    brief: Arc<Semaphore>,
}

/// How long a connection may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    Lasting,
    Brief,
}

impl Places {
    fn new(lasting: usize, brief: usize) -> Self {
        Self { lasting: Arc::new(Semaphore::new(lasting)), brief: Arc::new(Semaphore::new(brief)) }
    }

    fn take(&self) -> Option<(OwnedSemaphorePermit, Stay)> {
        let lasting = Arc::clone(&self.lasting).try_acquire_owned().map(|it| (it, Stay::Lasting));
        let brief = || Arc::clone(&self.brief).try_acquire_owned().map(|it| (it, Stay::Brief));
        lasting.or_else(|_| brief()).ok()
    }
}

impl Server {
    async fn serve(self, listener: TcpListener, places: Places, drain: Duration) {
        let (connections, end) = (TaskTracker::new(), CancellationToken::new());
        let _ended = end.clone().drop_guard();
        while let Some(accepted) = self.shutdown.run_until_cancelled(listener.accept()).await {
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    back_off(&error).await;
                    continue;
                }
            };
            // Without a place, the connection is closed.
            if let Some((place, stay)) = places.take() {
                let served = self.clone().connection(stream, peer, stay);
                let end = end.clone();
                connections.spawn(async move {
                    end.run_until_cancelled_owned(served).await;
                    drop(place);
                });
            }
        }
        drop(listener);
        connections.close();
        if timeout(drain, connections.wait()).await.is_err() {
            let connections = connections.len();
            tracing::warn!(connections, "closing connections that are still open");
        }
    }

    /// Serves one connection until its client closes it, is too slow, or has stayed long enough.
    async fn connection(self, stream: TcpStream, peer: SocketAddr, stay: Stay) {
        // Sends small answers immediately instead of waiting for the next packet.
        let _ = stream.set_nodelay(true);
        let turn = Turn::default();
        let io = TokioIo::new(Patience::new(stream, turn.clone()));
        let Self { router, proxies, shutdown } = self;
        let service =
            service_fn(move |request| answer(request, peer, router.clone(), proxies, turn.clone()));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE_TIMEOUT)
            .keep_alive(stay == Stay::Lasting)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(io, service);
        let mut connection = pin!(connection);
        let brief = async {
            match stay {
                Stay::Lasting => std::future::pending().await,
                Stay::Brief => sleep(BRIEF).await,
            }
        };
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = brief => return,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
    }
}

async fn answer(
    mut request: hyper::Request<Incoming>,
    peer: SocketAddr,
    mut router: Router,
    proxies: usize,
    turn: Turn,
) -> Result<Response, Infallible> {
    turn.next();
    let client = Client::of(peer.ip(), request.headers(), proxies);
    request.extensions_mut().insert(client);
    let answer = router.call(request).await;
    turn.next();
    answer
}

async fn back_off(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    // The client has gone already.
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::warn!(%error, "cannot accept a connection");
        sleep(ACCEPT_RETRY).await;
    }
}
