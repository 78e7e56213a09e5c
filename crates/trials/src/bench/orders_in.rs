//! Orders in: how many orders a second the publisher accepts, and how soon it answers.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::AttributeValue;
use axum::{Form, Router, response::Redirect, routing::post};
use orders::order::OrderId;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::{
    load::{self, Kind, Load, Outcome, Pace, Until},
    progress::progress,
    report::{Report, Target},
    rig::{Rig, Way},
    scale::{NETWORK, Scale},
    stored,
};
use crate::usage::Meter;

const SECTION: &str = "Orders in";
/// The load before the measurement begins: it opens connections and touches memory.
const WARM_UP: Duration = Duration::from_millis(300);
/// Longer than it takes to announce the accepted orders.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(60);
/// Orders a second that the publisher takes easily, with the delay of a network.
const EASY_RATE: f64 = 200.0;
/// As many connections as a publisher takes orders from at once.
const MANY: u32 = 100;
const BARE_CALLS: usize = 200;

/// The result of one load on one publisher.
struct Run {
    outcome: Outcome,
    /// The processor time used, or what limited the rate.
    usage: String,
    /// The time from the last answer until all orders were announced, in seconds.
    announced_after: f64,
}

/// Sends orders to the publisher. No worker runs, so the orders stay in the queues.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let mut curve = Vec::new();
    let mut capacity = 0.0;
    for (kind, connections) in
        [(Kind::Form, 1), (Kind::Form, 16), (Kind::Form, MANY), (Kind::Json, 16)]
    {
        let name = format!("{kind}, {connections} connections, closed loop");
        let load = load_for(scale, kind, connections, Pace::Closed);
        let run = run(binaries, &name, load, Duration::ZERO, report).await?;
        let rate = run.outcome.rate();
        let note = format!("{}; {}", load::percentiles(&run.outcome.latencies), run.usage);
        let figure = report.add(SECTION, &name, rate, "/s").note(note);
        if (kind, connections) == (Kind::Form, 16) {
            capacity = rate;
            figure.target(Target::AtLeast(6_000.0));
            let p99 = run.outcome.percentile(99.0);
            report.add(SECTION, "  its p99", p99, "ms").target(Target::AtMost(15.0));
            let name = "  time from the last answer until all are announced";
            report.add(SECTION, name, run.announced_after, "s");
        }
        if kind == Kind::Form {
            curve.push((f64::from(connections), rate));
        }
    }
    report.curve("Orders in, by connections", "connections", "orders a second", curve);
    for (share, connections) in [(0.5, 16), (0.5, MANY), (0.9, 16)] {
        let rate = (capacity * share).floor();
        let name = format!("form, {connections} connections, {rate:.0}/s, open loop");
        let load = load_for(scale, Kind::Form, connections, Pace::Open(rate));
        let run = run(binaries, &name, load, Duration::ZERO, report).await?;
        let note = format!("{}; {}", load::percentiles(&run.outcome.latencies), run.usage);
        report.add(SECTION, format!("{name}: p99"), run.outcome.percentile(99.0), "ms").note(note);
    }
    baseline(scale, capacity, report).await?;
    let trip = round_trip(binaries).await?;
    report.add(SECTION, "a bare call, 5 ms per call: p50", trip, "ms");
    let name = format!("form, 5 ms per call, {EASY_RATE:.0}/s, open loop");
    let load = load_for(scale, Kind::Form, 16, Pace::Open(EASY_RATE));
    let run = run(binaries, &name, load, NETWORK, report).await?;
    let p50 = run.outcome.percentile(50.0);
    report
        .add(SECTION, format!("{name}: p50"), p50, "ms")
        .target(Target::AtMost(8.0))
        .note(load::percentiles(&run.outcome.latencies));
    report.add(SECTION, "  compared with the bare call", p50 / trip, "times");
    Ok(())
}

fn load_for(scale: Scale, kind: Kind, connections: u32, pace: Pace) -> Load {
    let until = Until::Elapsed(Duration::from_secs(scale.load_seconds));
    Load { kind, connections, pace, until }
}

async fn run(
    binaries: &Path,
    name: &str,
    load: Load,
    delay: Duration,
    report: &mut Report,
) -> anyhow::Result<Run> {
    progress(&format!("orders in: {name}"));
    let rig = Rig::set_up(binaries, delay).await?;
    let publisher = rig.start("publisher", Way::with_delay(delay)).await?;
    let warm_up = Load { until: Until::Elapsed(WARM_UP), ..load };
    let mut accepted = load::run(publisher.port, warm_up).await?.accepted;
    let meter = Meter::start(vec![publisher.pid()]);
    let outcome = load::run(publisher.port, load).await?;
    let usage = match load.pace {
        Pace::Closed => meter.limit(),
        Pace::Open(_) => meter.share(),
    };
    let answered = Instant::now();
    accepted.extend(outcome.accepted.iter().cloned());
    report.lost += stored::unannounced(&rig, &accepted, ANNOUNCE_TIMEOUT).await? as u64;
    report.accepted += accepted.len() as u64;
    let announced_after = answered.elapsed().as_secs_f64();
    rig.stop(vec![publisher]).await?;
    Ok(Run { outcome, usage, announced_after })
}

/// The median time of a call with the delay of a network, in milliseconds: of a read of an order
/// that does not exist.
///
/// # Errors
///
/// If a call fails.
pub async fn round_trip(binaries: &Path) -> anyhow::Result<f64> {
    let rig = Rig::set_up(binaries, NETWORK).await?;
    let dynamodb = aws_sdk_dynamodb::Client::new(&rig.aws(Way::Proxy).await);
    let mut took = load::histogram()?;
    for _ in 0..BARE_CALLS {
        let started = Instant::now();
        let id = AttributeValue::S(OrderId::new().to_string());
        dynamodb.get_item().table_name(rig.orders_table()?).key("id", id).send().await?;
        took.record(u64::try_from(started.elapsed().as_micros())?)?;
    }
    Ok(load::percentile(&took, 50.0))
}

/// Baseline (c): the web server and the load, without AWS.
async fn baseline(scale: Scale, capacity: f64, report: &mut Report) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Typed {
        customer: String,
        total: String,
    }
    async fn answer(Form(typed): Form<Typed>) -> Redirect {
        let id = OrderId::new();
        tracing::trace!(typed.customer, typed.total);
        Redirect::to(&format!("/orders/{id}"))
    }
    progress("orders in: a handler without AWS");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let router = Router::new().route("/", post(answer));
    let server = axum::serve(listener, router).into_future();
    let _server = AbortOnDropHandle::new(tokio::spawn(server));
    let outcome = load::run(port, load_for(scale, Kind::Form, 16, Pace::Closed)).await?;
    let name = "a handler without AWS, 16 connections (c)";
    report.add(SECTION, name, outcome.rate(), "/s").note(load::percentiles(&outcome.latencies));
    let ratio = 100.0 * capacity / outcome.rate();
    report.add(SECTION, "form, 16 connections, compared with (c)", ratio, "%");
    Ok(())
}
