//! A network that fails, between the services and their AWS endpoint.
//!
//! It forwards every call and injects faults by a plan. The fault of a call depends on the seed, on
//! the operation, and on how many calls of that operation came before: so the same seed gives each
//! operation the same sequence of faults, however the calls of different operations interleave.
//! Which order a given call is about depends on timing, and is not the same in every run.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, Uri,
    body::{Bytes, Incoming},
    header::HOST,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

mod fault;

mod slow;

pub use fault::{Fault, Plan};
use slow::Body;

/// A running proxy. It ends when it is dropped.
pub struct Proxy {
    /// What `AWS_ENDPOINT_URL` has to be, for calls to go through it.
    pub url: String,
    shared: Arc<Shared>,
    _accepting: JoinSet<()>,
}

struct Shared {
    upstream: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
    plan: Plan,
    faulty: AtomicBool,
    counts: Mutex<Counts>,
}

/// What went through a proxy.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Calls by service and operation, such as `DynamoDB.PutItem`.
    pub calls: BTreeMap<String, u64>,
    /// Calls that were made to fail, by the kind of fault.
    pub faults: BTreeMap<&'static str, u64>,
}

/// Starts a proxy on a free port of this machine, for the endpoint at `upstream`.
///
/// # Errors
///
/// If nothing can listen, or `upstream` is no URL.
pub async fn start(upstream: &str, plan: Plan) -> anyhow::Result<Proxy> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let shared = Arc::new(Shared {
        upstream: upstream.parse().context("the endpoint's URL")?,
        client: Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build_http(),
        plan,
        faulty: AtomicBool::new(true),
        counts: Mutex::default(),
    });
    let mut accepting = JoinSet::new();
    accepting.spawn(accept(listener, Arc::clone(&shared)));
    Ok(Proxy {
        url,
        shared,
        _accepting: accepting,
    })
}

impl Proxy {
    /// From now on every call is forwarded as it is.
    pub fn stop_faults(&self) {
        self.shared.faulty.store(false, Ordering::Relaxed);
    }

    /// What went through so far.
    pub fn counts(&self) -> Counts {
        self.shared.counts().clone()
    }
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and draws its fault.
    fn draw(&self, operation: &str) -> Option<Fault> {
        let mut counts = self.counts();
        let calls = counts.calls.entry(operation.to_owned()).or_default();
        *calls += 1;
        let call = *calls;
        let fault = self
            .faulty
            .load(Ordering::Relaxed)
            .then(|| self.plan.fault(operation, call));
        let fault = fault.flatten()?;
        *counts.faults.entry(fault.kind()).or_default() += 1;
        Some(fault)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        let answer = service_fn(move |request| answer(Arc::clone(&shared), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
        connections.spawn(async move {
            // An error is what a fault looks like from here.
            let _ = connection.await;
        });
    }
}

/// Why there is no answer: hyper closes the connection for it.
type NoAnswer = anyhow::Error;

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, NoAnswer> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let operation = operation(&parts, &body);
    let call = || forward(&shared, parts, body);
    match shared.draw(&operation) {
        None => Ok(call().await?.map(Body::at_once)),
        Some(Fault::ServerError) => Ok(fault::server_error(&operation).map(Body::at_once)),
        Some(Fault::Throttled) => Ok(fault::throttled(&operation).map(Body::at_once)),
        Some(Fault::Reset) => anyhow::bail!("reset before the call"),
        Some(Fault::AnswerLost) => {
            call().await?;
            anyhow::bail!("reset after the call")
        }
        Some(Fault::Stall(pause)) => {
            sleep(pause).await;
            Ok(call().await?.map(Body::at_once))
        }
        Some(Fault::SlowLink(spread)) => Ok(call().await?.map(|body| Body::slow(body, spread))),
    }
}

async fn forward(
    shared: &Shared,
    mut parts: hyper::http::request::Parts,
    body: Bytes,
) -> Result<Response<Bytes>, NoAnswer> {
    let mut uri = shared.upstream.clone().into_parts();
    uri.path_and_query = parts.uri.path_and_query().cloned();
    parts.uri = Uri::from_parts(uri)?;
    parts.headers.remove(HOST);
    let response = shared
        .client
        .request(Request::from_parts(parts, Full::new(body)))
        .await?;
    let (parts, body) = response.into_parts();
    Ok(Response::from_parts(
        parts,
        body.collect().await?.to_bytes(),
    ))
}

/// `SQS.ReceiveMessage`, say: JSON protocols name it in a header, SNS in its form.
fn operation(parts: &hyper::http::request::Parts, body: &[u8]) -> String {
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let Some((service, operation)) = target.and_then(|target| target.split_once('.')) else {
        let action = form_urlencoded::parse(body).find(|(name, _)| name == "Action");
        return format!(
            "SNS.{}",
            action.map_or_else(|| "unknown".into(), |(_, action)| action)
        );
    };
    let service = if service.starts_with("DynamoDB") {
        "DynamoDB"
    } else {
        "SQS"
    };
    format!("{service}.{operation}")
}
