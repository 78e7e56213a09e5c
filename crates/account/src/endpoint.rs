//! An AWS endpoint in this process: DynamoDB, S3, SNS, SQS and Textract behind
//! one HTTP port.
//!
//! The services reach it through `AWS_ENDPOINT_URL`, exactly as they reach AWS. It uses the
//! `rustack` crates and `dynoxide`, and keeps everything in memory, except objects of S3, which are
//! temporary files. It differs from AWS as follows:
//!
//! - Its [`iam`](crate::iam) takes the access key for who calls.
//! - It accepts and drops a `MessageGroupId` on a standard topic, and rejects it on a standard
//!   queue. AWS forwards it, and shares the queue fairly between the groups.
//! - SNS drops what the policy of a queue refuses; on AWS, a subscription may have a dead-letter
//!   queue for it.
//! - It rejects raw delivery of messages with attributes, HTTP subscriptions and
//!   `StartMessageMoveTask`.
//! - S3 has the operations that `s3` lists, no address without a signature in the header
//!   `Authorization`, and no encryption. Objects do not expire.
//! - `textract` reads text, and understands nothing.
//! - It handles 128 requests to SNS at a time, and the others wait.
//! - It has the [`habits`](crate::habits) of AWS only if it is asked to.
//! - A filter policy applies immediately; on AWS it takes up to 15 minutes.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use pubsub::env::Misconfigured;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) mod dynamodb;
pub(crate) mod like_aws;
pub(crate) mod messaging;
mod router;
mod s3;
mod script;
mod settings;
mod textract;

#[cfg(test)]
mod tests;

pub use script::{Script, Scripted};
pub use settings::{ACCOUNT_ID, DEFAULT_REGION, Settings, region};

use router::Router;

use crate::{iam::Judge, ledger::Ledger, provision::Target, proxy::Twice, wiretap::WireTap};

/// The time that requests in flight get when the endpoint stops.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// A running endpoint. Dropping it stops it; [`Endpoint::stop`] also waits until it has stopped.
#[derive(Debug)]
pub struct Endpoint {
    /// The value for `AWS_ENDPOINT_URL`; with a [`Settings::public_port`], that of the proxy.
    pub url: String,
    /// The address that it listens on.
    pub address: SocketAddr,
    region: String,
    judge: Judge,
    wiretap: WireTap,
    ledger: Ledger,
    twice: Twice,
    ending: CancellationToken,
    stopping: CancellationToken,
    connections: TaskTracker,
}

/// Starts an empty endpoint.
///
/// # Errors
///
/// [`Misconfigured`] if it cannot listen on its address, for example because the port is in use.
pub async fn start(settings: &Settings) -> anyhow::Result<Endpoint> {
    let listener = listen(settings.listen).await?;
    let address = listener.local_addr().context("reading the port")?;
    let port = settings.public_port.unwrap_or(address.port());
    let ending = CancellationToken::new();
    let judge = Judge::new(&settings.region, ACCOUNT_ID);
    let wiretap = WireTap::default();
    let ledger = Ledger::default();
    let twice = Twice::default();
    let router = Router::new(
        settings,
        port,
        judge.clone(),
        wiretap.clone(),
        ledger.clone(),
        twice.clone(),
        ending.clone(),
    )?;
    let stopping = CancellationToken::new();
    let connections = TaskTracker::new();
    let url = format!("http://{}:{port}", settings.public_host);
    connections.spawn(accept(listener, router, stopping.clone(), connections.clone()));
    let region = settings.region.clone();
    Ok(Endpoint {
        url,
        address,
        region,
        judge,
        wiretap,
        ledger,
        twice,
        ending,
        stopping,
        connections,
    })
}

/// Listens on an address.
///
/// # Errors
///
/// [`Misconfigured`] if it cannot, for example because the port is in use.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Misconfigured> {
    TcpListener::bind(address).await.map_err(|error| refused(address, &error))
}

fn refused(address: SocketAddr, error: &io::Error) -> Misconfigured {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "is in use: stop the process that listens there, or choose another port"
        }
        io::ErrorKind::PermissionDenied => "is not permitted: choose another port",
        io::ErrorKind::AddrNotAvailable => "is not an address of this machine",
        _ => return Misconfigured(format!("cannot listen on {address}: {error}")),
    };
    Misconfigured(format!("{address} {why}"))
}

impl Endpoint {
    /// How to reach it.
    pub fn target(&self) -> Target {
        self.target_through(&self.url)
    }

    /// How to reach it through a proxy at `url`.
    pub fn target_through(&self, url: &str) -> Target {
        let (endpoint_url, region) = (url.to_owned(), self.region.clone());
        let (judge, wiretap) = (Some(self.judge.clone()), Some(self.wiretap.clone()));
        Target { endpoint_url, region, judge, wiretap }
    }

    /// Who judges the calls.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// The ledger, which takes note of what happens from now on.
    pub fn ledger(&self) -> Ledger {
        self.ledger.begin();
        self.ledger.clone()
    }

    /// How many deliveries SNS makes twice, beside those of the [`habits`](crate::habits).
    pub fn twice(&self) -> Twice {
        self.twice.clone()
    }

    /// Ends all long polls immediately, without a message.
    ///
    /// A worker that is shutting down waits up to 20 s for its long poll, because aborting it could
    /// hide a message. Here the queues end with the process, so there is no need to wait.
    pub fn end_long_polls(&self) {
        self.ending.cancel();
    }

    /// Stops accepting requests, finishes those in flight, and closes all connections.
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
            // Most likely the process is out of file descriptors; some will be closed soon.
            Err(error) => {
                tracing::warn!(%error, "the AWS endpoint cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, router: Router, stopping: CancellationToken) {
    // Sends small answers immediately instead of waiting for the next packet.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.answer(request).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    tokio::select! {
        // A client that disconnects gets no answer, which is fine.
        _ = connection.as_mut() => {}
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(STOP_TIMEOUT, connection).await;
        }
    }
}
