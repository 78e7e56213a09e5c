//! A reverse proxy in front of an AWS endpoint that counts calls, delays them and makes them fail.
//!
//! The services reach it through `AWS_ENDPOINT_URL`, and for them it looks like the endpoint
//! itself. Faults come from a seeded [`Plan`], so a failure can be reproduced.
//!
//! A call that was passed on takes effect even if its caller disconnects: the proxy still waits for
//! the answer of the endpoint, as AWS does. So if a worker is killed during a long poll, the
//! messages that the poll receives stay hidden until their visibility timeout ends.
//!
//! It listens on loopback unless it is given another listener, speaks HTTP/1.1 without TLS, and
//! holds each request and each answer in memory.

use std::{
    future::{Future, poll_fn},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::task::AbortOnDropHandle;

pub(crate) mod call;
mod door;
mod draws;
mod forward;
mod outage;
pub mod part;
mod plan;
mod reply;
pub(crate) mod s3;
mod station;
mod twice;
mod way;
pub mod weather;

pub use call::{Call, Service};
pub use draws::Counts;
pub use outage::{Broken, Calls, Outage};
pub use plan::{Fault, Plan};
pub use station::PATH as WEATHER_PATH;
pub use twice::Twice;
pub use way::Way;

use draws::Draws;
use forward::Upstream;
use outage::happens;
use reply::Reply;
use station::Station;
use weather::Begun;

/// What the proxy does to calls.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Which calls fail, and how; with `None`, no call fails.
    pub faults: Option<Plan>,
    /// The time that each call is held before it is passed on, as by a slow network.
    pub delay: Duration,
    /// If other programs on this machine may change the [`weather`]: how many deliveries the
    /// endpoint makes twice, which is a part of it.
    pub changing: Option<Twice>,
}

/// A running proxy. Dropping it stops it.
#[derive(Debug)]
pub struct Proxy {
    /// The value for `AWS_ENDPOINT_URL` on this machine.
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
    outages: Mutex<Vec<Outage>>,
    /// How connections fail, by the first outage that says so.
    broken: watch::Sender<Option<Broken>>,
    /// The weather, if other programs may change it.
    station: Option<Station>,
}

impl Proxy {
    /// Starts a proxy on a free port of loopback that passes calls on to `upstream`, a URL such as
    /// `http://127.0.0.1:4566`.
    ///
    /// # Errors
    ///
    /// If `upstream` is not such a URL, or the proxy cannot listen.
    pub async fn start(upstream: &str, conditions: Conditions) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .context("the proxy cannot listen on 127.0.0.1")?;
        Self::on(listener, upstream, conditions)
    }

    /// The same on any listener, as for other machines and containers.
    ///
    /// # Errors
    ///
    /// If `upstream` is not such a URL.
    pub fn on(
        listener: TcpListener,
        upstream: &str,
        conditions: Conditions,
    ) -> anyhow::Result<Self> {
        let upstream = Upstream::new(upstream)?;
        let address = listener.local_addr().context("reading the port")?;
        let shared = Arc::new(Shared {
            upstream,
            draws: Draws::new(conditions.faults),
            delay: conditions.delay,
            calm: AtomicBool::new(false),
            outages: Mutex::default(),
            broken: watch::Sender::new(None),
            station: conditions.changing.map(Station::new),
        });
        let (broken, served) = (shared.broken.subscribe(), shared.clone());
        let serve = move |stream, broken| serve(stream, broken, served.clone());
        let accepting = tokio::spawn(async move {
            if let Err(error) = door::accept(listener, broken, serve).await {
                tracing::error!(%error, "the proxy cannot listen any more");
            }
        });
        Ok(Self {
            url: format!("http://{}", door::on_this_machine(address)),
            shared,
            _accepting: AbortOnDropHandle::new(accepting),
        })
    }

    /// Stops injecting faults. A fault that has begun still takes its course.
    pub fn calm(&self) {
        self.shared.calm.store(true, Ordering::Relaxed);
    }

    /// Begins these outages, in place of those before; without any, all is well. The first one that
    /// a call belongs to decides.
    pub fn set_outages(&self, outages: Vec<Outage>) {
        let broken = outages.iter().find_map(Outage::broken);
        *self.shared.outages.lock().unwrap_or_else(PoisonError::into_inner) = outages;
        self.shared.broken.send_if_modified(|current| {
            let changes = *current != broken;
            *current = broken;
            changes
        });
    }

    /// The weather, if other programs may change it.
    pub fn weather(&self) -> Option<watch::Receiver<Vec<Begun>>> {
        self.shared.station.as_ref().map(Station::changes)
    }

    /// The calls and faults so far.
    pub fn counts(&self) -> Counts {
        self.shared.draws.counts()
    }
}

impl Shared {
    fn outage_of(&self, call: &Call, body: &[u8]) -> Option<Fault> {
        let outages = self.outages.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = outages.iter().find_map(|outage| outage.fault_of(call, body));
        let fault = fault.or_else(|| self.station.as_ref()?.fault_of(call, body))?;
        self.draws.met(fault.name());
        Some(fault)
    }
}

async fn serve(mut stream: TcpStream, broken: Option<Broken>, shared: Arc<Shared>) {
    let broken = broken.filter(|it| !matches!(it, Broken::Reset(percent) if !happens(*percent)));
    if let Some(broken) = broken {
        shared.draws.met(broken.name());
    }
    match broken {
        Some(Broken::Silent) => {
            // Until the caller gives up.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            return;
        }
        Some(Broken::Reset(_)) => {
            let _ = stream.set_zero_linger();
            return;
        }
        Some(Broken::Slow(time)) => tokio::time::sleep(time).await,
        Some(Broken::Refused) | None => {}
    }
    // Sends small answers immediately instead of waiting for the next packet.
    let _ = stream.set_nodelay(true);
    let within = door::within_this_machine(&stream);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request, within, shared.clone());
        Box::pin(answer) as Pin<Box<dyn Future<Output = io::Result<Reply>> + Send>>
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    if ended.is_err() {
        // Without lingering, closing sends a reset (RST) instead of a regular end (FIN).
        let stream = connection.into_parts().io.into_inner();
        let _ = stream.set_zero_linger();
    }
}

/// Waits on a thread of its own: tokio's timer can be two milliseconds late, which is a large part
/// of a call's duration.
async fn hold(time: Duration) -> io::Result<()> {
    if time.is_zero() {
        return Ok(());
    }
    tokio::task::spawn_blocking(move || std::thread::sleep(time)).await.map_err(io::Error::other)
}

/// The answer to one call, which may come from `within` this machine. An error resets the
/// connection.
async fn answer(
    request: Request<Incoming>,
    within: Option<IpAddr>,
    shared: Arc<Shared>,
) -> io::Result<Reply> {
    let (head, body) = forward::read(request).await?;
    if let Some(station) = shared.station.as_ref().filter(|_| head.uri.path() == WEATHER_PATH) {
        let (status, text) = station.answer(&head, &body, within);
        return Ok(reply::own(status, text));
    }
    let call = Call::of(&head, &body);
    let calm = shared.calm.load(Ordering::Relaxed);
    let fault = shared.draws.next(&call, calm);
    let fault = shared.outage_of(&call, &call::text(&head, &call, &body)).or(fault);
    hold(shared.delay).await?;
    match fault {
        Some(Fault::ServerError) => return Ok(reply::server_error(&call)),
        Some(Fault::Throttle) => return Ok(reply::throttle(&call)),
        Some(Fault::Denied) => return Ok(reply::denied(&call)),
        Some(Fault::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
        // Until the caller gives up.
        Some(Fault::Hang) => return std::future::pending().await,
        Some(Fault::AnswerLost | Fault::Stall(_) | Fault::SlowLink(_)) | None => {}
    }
    let stall = match fault {
        Some(Fault::Stall(time)) => time,
        _ => Duration::ZERO,
    };
    let is_pure = call.service == Service::Textract;
    let pass_on = async move {
        tokio::time::sleep(stall).await;
        shared.upstream.call(head, body).await
    };
    // A task of its own continues when the caller disconnects and this future is dropped. Reading a
    // document has no effect, and would only keep a core busy.
    let (head, body) = match is_pure {
        true => pass_on.await?,
        false => tokio::spawn(pass_on).await.map_err(io::Error::other)??,
    };
    match fault {
        Some(Fault::AnswerLost) => Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::SlowLink(time)) => Ok(reply::trickled(head, body, time)),
        _ => Ok(reply::whole(head, body)),
    }
}

#[cfg(test)]
mod tests;
