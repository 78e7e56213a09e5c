//! An AWS endpoint in this process: DynamoDB, SNS and SQS behind one HTTP port.
//!
//! The services reach it through `AWS_ENDPOINT_URL`, exactly as they reach AWS. It is made of the
//! `rustack` crates and of `dynoxide`, and keeps everything in memory. Where it is not AWS:
//!
//! - `MessageGroupId` on a standard topic is accepted and dropped; on a standard queue it is
//!   refused. AWS forwards it and shares the queue fairly between the groups.
//! - Raw delivery of messages with attributes, HTTP subscriptions and `StartMessageMoveTask` are
//!   refused.
//! - SNS admits 128 requests at once and refuses more; here the others wait instead.
//! - An index is readable at once, where AWS takes a moment; filter policies apply at once, where
//!   AWS takes up to 15 minutes.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use pubsub::env::Misconfigured;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

mod dynamodb;
mod router;

#[cfg(test)]
mod tests;

use router::Router;

/// The account that every embedded resource belongs to.
pub const ACCOUNT_ID: &str = "000000000000";
/// The region, if the environment names none.
pub const DEFAULT_REGION: &str = "us-east-1";

/// How long an answer under way may take when the endpoint stops; a long poll is cut short.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// Where the endpoint listens, and what it calls itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address to listen on; on port 0 the system picks a free one.
    pub listen: SocketAddr,
    /// The host in queue URLs, by which the services reach this one.
    pub public_host: String,
    /// The region of every resource.
    pub region: String,
}

impl Settings {
    /// An endpoint for this machine alone; on port 0 the system picks a free one.
    pub fn loopback(port: u16) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], port)),
            public_host: IpAddr::from([127, 0, 0, 1]).to_string(),
            region: region(),
        }
    }
}

/// The region that the environment names, or [`DEFAULT_REGION`].
pub fn region() -> String {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| DEFAULT_REGION.to_owned())
}

/// A running endpoint. It stops when it is dropped; [`Endpoint::stop`] also waits for it.
#[derive(Debug)]
pub struct Endpoint {
    /// What `AWS_ENDPOINT_URL` has to be.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    ending: CancellationToken,
    stopping: CancellationToken,
    connections: TaskTracker,
}

/// Starts an endpoint with nothing in it.
///
/// # Errors
///
/// [`Misconfigured`] if the port is taken, or any other reason why nothing can listen there.
pub async fn start(settings: &Settings) -> anyhow::Result<Endpoint> {
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|error| refused(settings.listen, &error))?;
    let address = listener.local_addr().context("reading the port")?;
    let ending = CancellationToken::new();
    let router = Router::new(settings, address.port(), ending.clone())?;
    let stopping = CancellationToken::new();
    let connections = TaskTracker::new();
    let url = format!("http://{}:{}", settings.public_host, address.port());
    connections.spawn(accept(listener, router, stopping.clone(), connections.clone()));
    Ok(Endpoint { url, address, ending, stopping, connections })
}

fn refused(address: SocketAddr, error: &io::Error) -> Misconfigured {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "is in use: end what listens there, or choose another port",
        io::ErrorKind::PermissionDenied => "may not be used by you: choose another port",
        io::ErrorKind::AddrNotAvailable => "is not an address of this machine",
        _ => return Misconfigured(format!("cannot listen on {address}: {error}")),
    };
    Misconfigured(format!("{address} {why}"))
}

impl Endpoint {
    /// Answers receives that wait for a message at once, with none.
    ///
    /// A worker that is asked to stop lets its long poll end, for up to 20 s: cutting it could
    /// strand a message. Here the queues end with the process, so nobody has to wait for that.
    pub fn end_long_polls(&self) {
        self.ending.cancel();
    }

    /// Stops accepting, lets answers under way end, and closes every connection.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.connections.close();
        self.connections.wait().await;
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    stopping: CancellationToken,
    connections: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, router.clone(), stopping.clone()));
            }
            // The process is out of file descriptors, most likely: others will be closed soon.
            Err(error) => {
                tracing::warn!(%error, "the AWS endpoint cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, router: Router, stopping: CancellationToken) {
    // Small answers leave at once, instead of waiting for the next packet.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.answer(request).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    tokio::select! {
        // A client that goes away in the middle is its own affair.
        _ = connection.as_mut() => {}
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(STOP_TIMEOUT, connection).await;
        }
    }
}
