//! Sends orders over HTTP, at full speed or at a given rate.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST, LOCATION},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{sleep_until, timeout},
};

/// A later answer counts as a failure.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How orders are sent.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Whether a browser or a program sends them.
    pub kind: Kind,
    /// The number of connections. Each sends one order at a time.
    pub connections: u32,
    /// When a connection sends its next order.
    pub pace: Pace,
    /// When the load ends.
    pub until: Until,
}

impl Load {
    /// This many orders with the form, as fast as possible.
    pub fn burst(connections: u32, orders: usize) -> Self {
        let until = Until::Orders(orders);
        Self { kind: Kind::Form, connections, pace: Pace::Closed, until }
    }
}

/// Who sends the orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A browser: its form to `POST /`.
    Form,
    /// A program: JSON to `POST /orders`.
    Json,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Form { "form" } else { "JSON" })
    }
}

/// When a connection sends its next order.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As soon as the last one is answered (a closed loop). This finds the maximum rate. But a slow
    /// answer delays the orders after it, which hides how long they would have waited.
    Closed,
    /// At fixed times: this many orders a second over all connections (an open loop). Latency
    /// counts from the time at which the order was due, even if the connection was still busy.
    Open(f64),
}

/// When a load ends.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After this many orders.
    Orders(usize),
}

/// An order that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its id.
    pub id: String,
    /// When it was sent, or was due.
    pub due: Instant,
    /// Whether it is large enough for a coupon.
    pub is_large: bool,
}

/// The result of a load.
pub struct Outcome {
    /// Every order that was accepted.
    pub accepted: Vec<Accepted>,
    /// The number of orders that were refused because the publisher is overloaded.
    pub refused: usize,
    /// The time of each answer, in microseconds.
    pub latencies: Histogram<u64>,
    /// The time from the first order to the last answer.
    pub took: Duration,
}

impl Outcome {
    fn new() -> anyhow::Result<Self> {
        let latencies = histogram()?;
        Ok(Self { accepted: Vec::new(), refused: 0, latencies, took: Duration::ZERO })
    }

    /// Accepted orders a second.
    pub fn rate(&self) -> f64 {
        self.accepted.len() as f64 / self.took.as_secs_f64()
    }

    /// The percentile `percent` of the latencies, in milliseconds.
    pub fn percentile(&self, percent: f64) -> f64 {
        percentile(&self.latencies, percent)
    }
}

/// The usual percentiles, as text.
pub fn percentiles(latencies: &Histogram<u64>) -> String {
    let [half, most, nearly_all] = [50.0, 99.0, 99.9].map(|it| percentile(latencies, it));
    format!("p50 {half:.1}, p99 {most:.1}, p99.9 {nearly_all:.1} ms")
}

/// The percentile `percent` of values in microseconds, in milliseconds.
pub fn percentile(latencies: &Histogram<u64>, percent: f64) -> f64 {
    latencies.value_at_quantile(percent / 100.0) as f64 / 1_000.0
}

/// An empty histogram of microseconds, with three significant digits.
pub fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new(3)?)
}

/// Sends orders to the publisher on `port`.
///
/// # Errors
///
/// If one is not accepted.
pub async fn run(port: u16, load: Load) -> anyhow::Result<Outcome> {
    let outcome = offer(port, load).await?;
    ensure!(outcome.refused == 0, "{} orders were refused", outcome.refused);
    Ok(outcome)
}

/// Sends orders to the publisher on `port`, which may refuse some.
///
/// # Errors
///
/// If one is neither accepted nor refused.
pub async fn offer(port: u16, load: Load) -> anyhow::Result<Outcome> {
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(Connection::open(port).await?);
    }
    let started = Instant::now();
    let mut senders = JoinSet::new();
    for (index, connection) in connections.into_iter().enumerate() {
        senders.spawn(send(connection, index, load, started));
    }
    let mut outcome = Outcome::new()?;
    while let Some(sent) = senders.join_next().await {
        let sent = sent??;
        outcome.accepted.extend(sent.accepted);
        outcome.refused += sent.refused;
        outcome.latencies.add(sent.latencies)?;
    }
    outcome.took = started.elapsed();
    Ok(outcome)
}

/// Sends the orders of one connection.
async fn send(
    mut connection: Connection,
    index: usize,
    load: Load,
    started: Instant,
) -> anyhow::Result<Outcome> {
    let mut sent = Outcome::new()?;
    let connections = load.connections as usize;
    // Orders are numbered over all connections, which take turns.
    for number in (index..).step_by(connections) {
        let due = match load.pace {
            Pace::Closed => Instant::now(),
            Pace::Open(rate) => started + Duration::from_secs_f64(number as f64 / rate),
        };
        let over = match load.until {
            Until::Elapsed(time) => due >= started + time,
            Until::Orders(count) => number >= count,
        };
        if over {
            break;
        }
        sleep_until(due.into()).await;
        // Half of the orders are large enough for a coupon.
        let is_large = (number / connections + index).is_multiple_of(2);
        let id = connection.place(load.kind, if is_large { 120 } else { 42 }).await?;
        sent.latencies.record(u64::try_from(due.elapsed().as_micros())?)?;
        match id {
            Some(id) => sent.accepted.push(Accepted { id, due, is_large }),
            None => sent.refused += 1,
        }
    }
    Ok(sent)
}

/// A connection to the publisher.
struct Connection {
    requests: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // If it fails, the next request fails.
        tokio::spawn(connection);
        Ok(Self { requests, host: format!("127.0.0.1:{port}") })
    }

    /// Places an order, and returns its id; `None` if it was refused with 503.
    async fn place(&mut self, kind: Kind, total: u32) -> anyhow::Result<Option<String>> {
        let (path, media_type, body, accepted) = match kind {
            Kind::Form => (
                "/",
                "application/x-www-form-urlencoded",
                format!("customer=Ada+Lovelace&total={total}"),
                StatusCode::SEE_OTHER,
            ),
            Kind::Json => (
                "/orders",
                "application/json",
                format!(r#"{{"customer":"Ada Lovelace","amount":"{total}"}}"#),
                StatusCode::CREATED,
            ),
        };
        let request = Request::post(path)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, media_type)
            .body(Full::from(body))?;
        let answer = timeout(ANSWER_TIMEOUT, async {
            self.requests.ready().await?;
            let (head, body) = self.requests.send_request(request).await?.into_parts();
            // Only then is the connection free for the next order.
            body.collect().await?;
            Ok::<_, hyper::Error>(head)
        });
        let head = answer.await.context("an order got no answer")??;
        if head.status == StatusCode::SERVICE_UNAVAILABLE {
            return Ok(None);
        }
        ensure!(head.status == accepted, "an order was answered {}", head.status);
        let location = head.headers.get(LOCATION).and_then(|it| it.to_str().ok());
        let id = location.and_then(|path| path.strip_prefix("/orders/"));
        Ok(Some(id.context("an accepted order has no location")?.to_owned()))
    }
}
