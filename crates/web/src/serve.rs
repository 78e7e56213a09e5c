//! Serves a router over HTTP/1.1 to clients that may be slow, hostile, or too many.
//!
//! Each connection has a place, of which there are few enough for memory and file descriptors, and
//! a client that is too slow loses it.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service as _;

use crate::client::Client;

mod patience;

#[cfg(test)]
mod tests;

use patience::{Patience, Turn};

/// The most connections at once: more than all limits of what a connection can be used for.
const MAX_CONNECTIONS: usize = 2_000;
/// How long a connection may be idle between requests: longer than the 60 s after which load
/// balancers close theirs. Otherwise one might send a request into a connection that is closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// The largest head of a request, in bytes, and the most headers.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 100;
/// The pause after a failure to accept, such as when no file descriptors are left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The answer to a connection for which there is no place.
const NO_PLACE: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n\
     content-type: text/plain; charset=utf-8\r\ncontent-length: 28\r\nconnection: close\r\n\r\n\
     There are too many clients.\n";
const NO_PLACE_TIMEOUT: Duration = Duration::from_millis(100);

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
    serve_at_most(MAX_CONNECTIONS, listener, router, proxies, shutdown, drain).await;
}

async fn serve_at_most(
    max_connections: usize,
    listener: TcpListener,
    router: Router,
    proxies: usize,
    shutdown: CancellationToken,
    drain: Duration,
) {
    let places = Arc::new(Semaphore::new(max_connections));
    let (connections, end) = (TaskTracker::new(), CancellationToken::new());
    let _ended = end.clone().drop_guard();
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                back_off(&error).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            refuse(stream).await;
            continue;
        };
        let served = connection(stream, peer, router.clone(), proxies, shutdown.clone());
        let end = end.clone();
        connections.spawn(async move {
            end.run_until_cancelled_owned(served).await;
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if timeout(drain, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "closing connections that are still open");
    }
}

/// Serves one connection until its client closes it or is too slow.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    proxies: usize,
    shutdown: CancellationToken,
) {
    // Sends small answers immediately instead of waiting for the next packet.
    let _ = stream.set_nodelay(true);
    let turn = Turn::default();
    let io = TokioIo::new(Patience::new(stream, turn.clone()));
    let service =
        service_fn(move |request| answer(request, peer, router.clone(), proxies, turn.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
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

/// Says that there is no place. The client may not get it: that is not worth a place.
async fn refuse(mut stream: TcpStream) {
    let _ = timeout(NO_PLACE_TIMEOUT, stream.write_all(NO_PLACE.as_bytes())).await;
}
