//! Orders in: how many the publisher takes, and how soon it answers.

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
    NETWORK, Scale,
    drain::way,
    load::{self, Kind, Load, Outcome, Pace, Until},
    report::{Report, Target},
    stage::{Stage, Way},
    tell,
    usage::Meter,
};

const SECTION: &str = "Orders in";
/// Connections are made and pages of memory touched before anything is measured.
const WARM_UP: Duration = Duration::from_millis(300);
/// Announcing what was accepted in a few seconds takes less.
const PATIENCE: Duration = Duration::from_secs(60);
/// Orders a second that are no load, over a network.
const EASY_RATE: f64 = 200.0;
const BARE_CALLS: usize = 200;

/// One load on one publisher.
struct Run {
    outcome: Outcome,
    share: String,
    /// From the last answer until all were announced, in seconds.
    announced_after: f64,
}

/// Loads the publisher alone; its orders wait in the queues.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let mut curve = Vec::new();
    let mut capacity = 0.0;
    for (kind, connections) in
        [(Kind::Form, 1), (Kind::Form, 16), (Kind::Form, 256), (Kind::Json, 16)]
    {
        let name = format!("{kind}, {connections} connections, closed loop");
        let load = scale.load(kind, connections, Pace::Closed);
        let run = run(binaries, &name, load, Duration::ZERO, report).await?;
        let rate = run.outcome.rate();
        let note = format!("{}; {}", load::percentiles(&run.outcome.latencies), run.share);
        let figure = report.add(SECTION, &name, rate, "/s").note(note);
        if (kind, connections) == (Kind::Form, 16) {
            capacity = rate;
            figure.target(Target::AtLeast(6_000.0));
            let p99 = run.outcome.percentile(99.0);
            report.add(SECTION, "  its p99", p99, "ms").target(Target::AtMost(15.0));
            let name = "  all announced after the last answer";
            report.add(SECTION, name, run.announced_after, "s");
        }
        if kind == Kind::Form {
            curve.push((f64::from(connections), rate));
        }
    }
    report.curve("Orders in, by connections", "connections", "orders a second", curve);
    for (share, connections) in [(0.5, 16), (0.5, 256), (0.9, 16)] {
        let rate = (capacity * share).floor();
        let name = format!("form, {connections} connections, {rate:.0}/s, open loop");
        let load = scale.load(Kind::Form, connections, Pace::Open(rate));
        let run = run(binaries, &name, load, Duration::ZERO, report).await?;
        let note = format!("{}; {}", load::percentiles(&run.outcome.latencies), run.share);
        report.add(SECTION, format!("{name}: p99"), run.outcome.percentile(99.0), "ms").note(note);
    }
    baseline(scale, capacity, report).await?;
    let trip = round_trip(binaries).await?;
    report.add(SECTION, "a bare call, 5 ms per call: p50", trip, "ms");
    let name = format!("form, 5 ms per call, {EASY_RATE:.0}/s, open loop");
    let load = scale.load(Kind::Form, 16, Pace::Open(EASY_RATE));
    let run = run(binaries, &name, load, NETWORK, report).await?;
    let p50 = run.outcome.percentile(50.0);
    report
        .add(SECTION, format!("{name}: p50"), p50, "ms")
        .target(Target::AtMost(8.0))
        .note(load::percentiles(&run.outcome.latencies));
    report.add(SECTION, "  that, to the bare call", p50 / trip, "times");
    Ok(())
}

impl Scale {
    fn load(self, kind: Kind, connections: u32, pace: Pace) -> Load {
        let until = Until::Elapsed(Duration::from_secs(self.load_seconds));
        Load { kind, connections, pace, until }
    }
}

async fn run(
    binaries: &Path,
    name: &str,
    load: Load,
    delay: Duration,
    report: &mut Report,
) -> anyhow::Result<Run> {
    tell(&format!("orders in: {name}"));
    let stage = Stage::set(binaries, delay).await?;
    let publisher = stage.start("publisher", way(delay)).await?;
    let warm_up = Load { until: Until::Elapsed(WARM_UP), ..load };
    let mut accepted = load::run(publisher.port, warm_up).await?.accepted;
    let meter = Meter::start(vec![publisher.pid()]);
    let outcome = load::run(publisher.port, load).await?;
    let share = match load.pace {
        Pace::Closed => meter.limit(),
        Pace::Open(_) => meter.share(),
    };
    let answered = Instant::now();
    accepted.extend(outcome.accepted.iter().cloned());
    report.lost += stage.unannounced(&accepted, PATIENCE).await? as u64;
    report.accepted += accepted.len() as u64;
    let announced_after = answered.elapsed().as_secs_f64();
    stage.stop(vec![publisher]).await?;
    Ok(Run { outcome, share, announced_after })
}

/// What one call takes over the network that is played, in milliseconds: a read of an order that
/// is not there.
async fn round_trip(binaries: &Path) -> anyhow::Result<f64> {
    let stage = Stage::set(binaries, NETWORK).await?;
    let dynamodb = aws_sdk_dynamodb::Client::new(&stage.aws(Way::Proxy).await);
    let mut took = load::histogram()?;
    for _ in 0..BARE_CALLS {
        let started = Instant::now();
        let id = AttributeValue::S(OrderId::new().to_string());
        dynamodb.get_item().table_name(stage.orders_table()?).key("id", id).send().await?;
        took.record(u64::try_from(started.elapsed().as_micros())?)?;
    }
    Ok(load::percentile(&took, 50.0))
}

/// (c): what the web server and the load alone can do.
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
    tell("orders in: a handler without AWS");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let router = Router::new().route("/", post(answer));
    let server = axum::serve(listener, router).into_future();
    let _server = AbortOnDropHandle::new(tokio::spawn(server));
    let outcome = load::run(port, scale.load(Kind::Form, 16, Pace::Closed)).await?;
    let name = "a handler without AWS, 16 connections (c)";
    report.add(SECTION, name, outcome.rate(), "/s").note(load::percentiles(&outcome.latencies));
    let ratio = 100.0 * capacity / outcome.rate();
    report.add(SECTION, "form, 16 connections, to (c)", ratio, "%");
    Ok(())
}
