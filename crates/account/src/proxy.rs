//! A reverse proxy in front of an AWS endpoint: it counts the calls, and makes them slow or fail.
//!
//! The services reach it through `AWS_ENDPOINT_URL` and cannot tell it from the endpoint. Faults
//! come from a seeded [`Plan`], so a failure that was seen once can be looked for again.
//!
//! A call that was passed on takes effect whatever happens to its caller: the proxy waits for the
//! endpoint's answer even if nobody is left to hear it. AWS works like that as well. A worker that
//! is killed in a long poll therefore strands the messages which that poll receives, until their
//! visibility timeout ends.
//!
//! It listens on loopback alone, speaks HTTP/1.1 without TLS, and holds each request and each
//! answer in memory.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

mod call;
mod forward;
mod plan;
mod reply;

pub use call::Call;
pub use plan::{Fault, Plan};

use forward::Upstream;
use plan::Draws;
use reply::Reply;

/// What the proxy does to the calls that pass.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Which calls fail, and how; `None` lets every call pass.
    pub faults: Option<Plan>,
    /// How long each call is held before it is passed on, as a network would.
    pub delay: Duration,
}

/// What has passed so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests, retries included, by service and operation such as `SQS.ReceiveMessage`.
    pub calls: BTreeMap<String, u64>,
    /// Faults that were injected, by [`Fault::name`].
    pub faults: BTreeMap<&'static str, u64>,
}

/// A running proxy; it stops when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// What `AWS_ENDPOINT_URL` has to be.
    pub url: String,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: Upstream,
    draws: Draws,
    delay: Duration,
    calm: AtomicBool,
}

impl Proxy {
    /// Listens on a free port of loopback, and passes calls on to `upstream`, a URL such as
    /// `http://127.0.0.1:4566`.
    ///
    /// # Errors
    ///
    /// If `upstream` is no such URL, or nothing can listen.
    pub async fn start(upstream: &str, conditions: Conditions) -> anyhow::Result<Self> {
        let upstream = Upstream::new(upstream)?;
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .context("the proxy cannot listen on 127.0.0.1")?;
        let address = listener.local_addr().context("reading the port")?;
        let shared = Arc::new(Shared {
            upstream,
            draws: Draws::new(conditions.faults),
            delay: conditions.delay,
            calm: AtomicBool::new(false),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self {
            url: format!("http://{address}"),
            shared,
            _accepting: AbortOnDropHandle::new(accepting),
        })
    }

    /// Lets every later call pass; a fault that is under way still ends as it was drawn.
    pub fn calm(&self) {
        self.shared.calm.store(true, Ordering::Relaxed);
    }

    /// What has passed so far.
    pub fn counts(&self) -> Counts {
        self.shared.draws.counts()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropping the set with this task closes every connection.
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, shared.clone()));
            }
            // The process is out of file descriptors, most likely: others will be closed soon.
            Err(error) => {
                tracing::warn!(%error, "the proxy cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Small answers leave at once, instead of waiting for the next packet.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request, shared.clone());
        Box::pin(answer) as Pin<Box<dyn Future<Output = io::Result<Reply>> + Send>>
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    if ended.is_err() {
        // Closing now sends a reset (RST) instead of an orderly end (FIN).
        let stream = connection.into_parts().io.into_inner();
        let _ = stream.set_zero_linger();
    }
}

/// Waits on a thread of its own: tokio's timer may be two milliseconds late, which is much of a
/// call's time.
async fn hold(time: Duration) -> io::Result<()> {
    if time.is_zero() {
        return Ok(());
    }
    tokio::task::spawn_blocking(move || std::thread::sleep(time)).await.map_err(io::Error::other)
}

/// The answer to one call. An error resets the connection.
async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Reply> {
    let (head, body) = forward::read(request).await?;
    let call = Call::of(&head, &body);
    let calm = shared.calm.load(Ordering::Relaxed);
    let fault = shared.draws.next(&call, calm);
    hold(shared.delay).await?;
    match fault {
        Some(Fault::ServerError) => return Ok(reply::server_error(&call)),
        Some(Fault::Throttle) => return Ok(reply::throttle(&call)),
        Some(Fault::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::AnswerLost | Fault::Stall(_) | Fault::SlowLink(_)) | None => {}
    }
    let stall = match fault {
        Some(Fault::Stall(time)) => time,
        _ => Duration::ZERO,
    };
    // A task of its own, which goes on when the caller hangs up and this future is dropped.
    let passed_on = tokio::spawn(async move {
        tokio::time::sleep(stall).await;
        shared.upstream.call(head, body).await
    });
    let (head, body) = passed_on.await.map_err(io::Error::other)??;
    match fault {
        Some(Fault::AnswerLost) => Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::SlowLink(time)) => Ok(reply::trickled(head, body, time)),
        _ => Ok(reply::whole(head, body)),
    }
}

#[cfg(test)]
mod tests;
