//! Overload: orders keep coming while DynamoDB accepts calls and answers none.
//!
//! Calls that it took in that time are never answered, as if their connections were dead.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use reqwest::{Client, StatusCode, header};
use tokio::{
    task::JoinSet,
    time::{Interval, MissedTickBehavior, interval, sleep_until},
};

use super::{
    load::{self, Accepted},
    progress::progress,
    report::{Report, Target},
    rig::{Rig, Way},
    scale::Scale,
    stored,
};
use crate::usage;

const SECTION: &str = "Overload";
/// The limits of a task: 1,600 connections of clients, and to AWS 150 for orders, 50 for other
/// requests, 50 for watched orders, 80 for announcing, and 100 for reports.
const MAX_SOCKETS: f64 = 2_030.0;
/// The load before DynamoDB hangs, and after.
const CALM: Duration = Duration::from_secs(5);
const PING_EVERY: Duration = Duration::from_millis(25);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// An order that is answered later was not taken as usual.
const USUAL: Duration = Duration::from_millis(500);
/// Longer than the publisher takes to give up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(60);

/// What clients got, and what the publisher held.
pub struct Overload {
    /// The orders that were sent while DynamoDB hung.
    pub sent: usize,
    /// Those of them that were refused with 503 and `Retry-After`.
    pub refused: usize,
    /// Those that got any other answer, or none.
    pub other: usize,
    /// The time until a refusal, for the half that is refused soonest, and for nearly all.
    refusals: Histogram<u64>,
    pings: Histogram<u64>,
    /// The most memory that the publisher had, in MB, and its most sockets. Zero without `/proc`.
    pub memory_mb: f64,
    /// See above.
    pub sockets: usize,
    /// When orders were taken as usual again, in seconds after DynamoDB answered again.
    pub normal_after: f64,
    accepted: usize,
    lost: usize,
}

/// An order that was sent.
struct Sent {
    at: Instant,
    took: Duration,
    answer: Answer,
}

enum Answer {
    Accepted(String),
    Refused,
    Other,
}

/// Adds the figures to the report.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let measured = overload(binaries, scale).await?;
    let (time, rate) = (scale.hang.as_secs(), scale.hang_rate);
    let name = format!("orders sent while DynamoDB hangs for {time} s, {rate:.0}/s");
    report.add(SECTION, name, measured.sent as f64, "");
    let note = load::percentiles(&measured.refusals);
    report
        .add(SECTION, "  refused with 503 and Retry-After", measured.refused as f64, "")
        .note(format!("time until the refusal: {note}"));
    report
        .add(SECTION, "  answered otherwise, or not", measured.other as f64, "")
        .target(Target::AtMost(0.0));
    let p99 = load::percentile(&measured.pings, 99.0);
    report
        .add(SECTION, "GET /ping: p99", p99, "ms")
        .target(Target::AtMost(50.0))
        .note(load::percentiles(&measured.pings));
    let memory = report.add(SECTION, "memory of the publisher", measured.memory_mb, "MB");
    memory.target(Target::AtMost(100.0));
    let sockets = report.add(SECTION, "its sockets", measured.sockets as f64, "");
    sockets.target(Target::AtMost(MAX_SOCKETS));
    report
        .add(SECTION, "orders are taken as usual again after", measured.normal_after, "s")
        .target(Target::AtMost(2.0));
    report.accepted += measured.accepted as u64;
    report.lost += measured.lost as u64;
    Ok(())
}

/// Sends orders to a publisher whose DynamoDB hangs for a while.
///
/// # Errors
///
/// If the publisher does not start or exit.
pub async fn overload(binaries: &Path, scale: Scale) -> anyhow::Result<Overload> {
    progress("overload: DynamoDB hangs");
    let rig = Rig::set_up(binaries, Duration::ZERO).await?;
    let publisher = rig.start("publisher", Way::Proxy).await?;
    let url = format!("http://127.0.0.1:{}", publisher.port);
    let hangs = Arc::new(AtomicBool::new(false));
    let pings =
        tokio::spawn(ping(format!("{url}/ping"), Looks::new(PING_EVERY, Arc::clone(&hangs))));
    let held = tokio::spawn(watch(publisher.pid(), Looks::new(LOOK_EVERY, Arc::clone(&hangs))));

    let started = Instant::now();
    let (begins, ends) = (started + CALM, started + CALM + scale.hang);
    let sending = tokio::spawn(send(url, scale.hang_rate, started, ends + CALM));
    sleep_until(begins.into()).await;
    hangs.store(true, Ordering::Relaxed);
    rig.hang(true)?;
    sleep_until(ends.into()).await;
    rig.hang(false)?;
    hangs.store(false, Ordering::Relaxed);
    let sent = sending.await??;
    let (pings, (memory_mb, sockets)) = (pings.await??, held.await?);

    let mut measured = Overload {
        sent: 0,
        refused: 0,
        other: 0,
        refusals: load::histogram()?,
        pings,
        memory_mb,
        sockets,
        normal_after: 0.0,
        accepted: 0,
        lost: 0,
    };
    let mut accepted = Vec::new();
    for Sent { at, took, answer } in sent {
        if at >= ends && (took > USUAL || !matches!(answer, Answer::Accepted(_))) {
            measured.normal_after = measured.normal_after.max((at - ends).as_secs_f64());
        }
        let during = (begins..ends).contains(&at);
        measured.sent += usize::from(during);
        match answer {
            Answer::Accepted(id) => accepted.push(Accepted { id, due: at, is_large: false }),
            Answer::Refused if during => {
                measured.refused += 1;
                measured.refusals.record(u64::try_from(took.as_micros())?)?;
            }
            Answer::Other if during => measured.other += 1,
            Answer::Refused | Answer::Other => {}
        }
    }
    measured.accepted = accepted.len();
    measured.lost = stored::unannounced(&rig, &accepted, ANNOUNCE_TIMEOUT).await?;
    rig.stop(vec![publisher]).await?;
    Ok(measured)
}

/// Sends orders at fixed times until `until`, no matter how many have no answer yet.
async fn send(
    url: String,
    rate: f64,
    started: Instant,
    until: Instant,
) -> anyhow::Result<Vec<Sent>> {
    let client = Client::builder().timeout(ANSWER_TIMEOUT).build()?;
    let mut sending = JoinSet::new();
    let mut sent = Vec::new();
    for number in 0_u32.. {
        let at = started + Duration::from_secs_f64(f64::from(number) / rate);
        if at >= until {
            break;
        }
        sleep_until(at.into()).await;
        let order = serde_json::json!({ "customer": "Ada Lovelace", "amount": "42" });
        let request = client.post(format!("{url}/orders")).json(&order);
        sending.spawn(async move {
            let answer = answer(request).await;
            Sent { at, took: at.elapsed(), answer }
        });
        while let Some(done) = sending.try_join_next() {
            sent.push(done?);
        }
    }
    sent.extend(sending.join_all().await);
    Ok(sent)
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let Ok(response) = request.send().await else {
        return Answer::Other;
    };
    let (status, headers) = (response.status(), response.headers().clone());
    let _ = response.bytes().await;
    let location = headers.get(header::LOCATION).and_then(|it| it.to_str().ok());
    let id = location.and_then(|path| path.strip_prefix("/orders/"));
    match (status, id) {
        (StatusCode::CREATED, Some(id)) => Answer::Accepted(id.to_owned()),
        (StatusCode::SERVICE_UNAVAILABLE, _) if headers.contains_key(header::RETRY_AFTER) => {
            Answer::Refused
        }
        _ => Answer::Other,
    }
}

/// Times at which something is looked at while DynamoDB hangs.
struct Looks {
    hangs: Arc<AtomicBool>,
    ticks: Interval,
}

impl Looks {
    fn new(every: Duration, hangs: Arc<AtomicBool>) -> Self {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { hangs, ticks }
    }

    async fn begin(&mut self) {
        while !self.hangs.load(Ordering::Relaxed) {
            self.ticks.tick().await;
        }
    }

    /// Waits for the next time; false if DynamoDB hangs no more.
    async fn next(&mut self) -> bool {
        self.ticks.tick().await;
        self.hangs.load(Ordering::Relaxed)
    }
}

/// Checks the health as a load balancer does, with a connection each time.
async fn ping(url: String, mut looks: Looks) -> anyhow::Result<Histogram<u64>> {
    let client = Client::builder().pool_max_idle_per_host(0).timeout(ANSWER_TIMEOUT).build()?;
    let mut pings = load::histogram()?;
    looks.begin().await;
    while looks.next().await {
        let started = Instant::now();
        let answered = client.get(&url).send().await.is_ok_and(|it| it.status().is_success());
        let took = if answered { started.elapsed() } else { ANSWER_TIMEOUT };
        pings.record(u64::try_from(took.as_micros())?)?;
    }
    Ok(pings)
}

/// The most memory and the most sockets that a process has.
async fn watch(pid: i32, mut looks: Looks) -> (f64, usize) {
    let (mut memory_mb, mut most) = (0.0_f64, 0);
    looks.begin().await;
    while looks.next().await {
        memory_mb = memory_mb.max(usage::memory_mb(pid).unwrap_or_default());
        most = most.max(sockets(pid));
    }
    (memory_mb, most)
}

fn sockets(pid: i32) -> usize {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let is_socket = |file: &fs::DirEntry| {
        fs::read_link(file.path()).is_ok_and(|it| it.to_string_lossy().starts_with("socket:"))
    };
    files.filter(is_socket).count()
}
