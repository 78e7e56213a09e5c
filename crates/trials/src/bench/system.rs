//! The whole system: how soon an order is fulfilled, and how much memory and processor time the
//! services need.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use local::build;
use tokio::time::sleep;

use super::{
    load::{self, Accepted, Load, Pace, Until},
    progress::progress,
    report::{Curve, Report, Target},
    rig::{Rig, Service, Way},
    scale::Scale,
    stored,
};
use crate::usage::{Meter, cpu_seconds, memory_mb};

const LATENCY: &str = "From POST to fulfilled";
const LEAN: &str = "Memory, CPU, start and size";
/// The number of customers who order at the same time.
const CONNECTIONS: u32 = 16;
/// Orders before the measurement begins.
const WARM_UP_ORDERS: usize = 200;
/// When the memory of a service without orders is read, after its start.
const IDLE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Measures throughput, memory and processor time, latency, starts and the size of binaries.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let capacity = hour(binaries, scale, report).await?;
    latency(binaries, scale, capacity, report).await?;
    for name in Rig::set_up(binaries, Duration::ZERO).await?.services() {
        start(binaries, &name, scale, report).await?;
        let bytes = tokio::fs::metadata(build::binary(binaries, &name)?).await?.len();
        report.add(LEAN, format!("{name}: binary"), bytes as f64 / 1e6, "MB");
    }
    Ok(())
}

/// Waits until all of `accepted` are announced and fulfilled and every queue is empty. Calls `look`
/// while waiting.
pub async fn settle(
    rig: &Rig,
    accepted: &[Accepted],
    report: &mut Report,
    mut look: impl FnMut(),
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while rig.waiting().await? > 0 || rig.fulfilled_count() < accepted.len() {
        ensure!(
            Instant::now() < deadline,
            "the queues are not empty after {} s",
            PATIENCE.as_secs()
        );
        look();
        sleep(LOOK_EVERY).await;
    }
    let fulfilled = rig.progress().fulfilled;
    let unfulfilled = accepted.iter().filter(|order| !fulfilled.contains_key(&order.id)).count();
    let unannounced = stored::unannounced(rig, accepted, Duration::ZERO).await?;
    report.lost += unfulfilled.max(unannounced) as u64;
    report.accepted += accepted.len() as u64;
    Ok(())
}

/// Places an hour's orders at full speed, and reads the memory meanwhile. Returns how many orders a
/// second were fulfilled.
async fn hour(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<f64> {
    progress(&format!("the whole system: {} orders at full speed", scale.hour));
    let rig = Rig::set_up(binaries, Duration::ZERO).await?;
    let services = rig.start_all(Way::Direct).await?;
    let port = services[0].port;
    sleep(IDLE).await;
    for service in &services {
        if let Some(held) = memory_mb(service.pid()) {
            report.add(LEAN, format!("{}: memory idle", service.name()), held, "MB");
        }
    }
    let mut accepted = load::run(port, Load::burst(CONNECTIONS, WARM_UP_ORDERS)).await?.accepted;
    let before: Vec<_> = services.iter().map(|it| cpu_seconds(it.pid())).collect();
    let meter = Meter::start(services.iter().map(Service::pid).collect());
    let started = Instant::now();
    let loading = tokio::spawn(load::run(port, Load::burst(CONNECTIONS, scale.hour)));
    let mut curves: Vec<Vec<(f64, f64)>> = vec![Vec::new(); services.len()];
    let mut look = || {
        let fulfilled = rig.fulfilled_count() as f64;
        for (service, curve) in services.iter().zip(&mut curves) {
            curve.extend(memory_mb(service.pid()).map(|held| (fulfilled, held)));
        }
    };
    while !loading.is_finished() {
        look();
        sleep(LOOK_EVERY).await;
    }
    accepted.extend(loading.await??.accepted);
    settle(&rig, &accepted, report, look).await?;
    let rate = scale.hour as f64 / started.elapsed().as_secs_f64();
    report
        .add(LATENCY, "orders from request to fulfilled, closed loop", rate, "/s")
        .note(meter.limit());

    for ((service, points), before) in services.iter().zip(curves).zip(before) {
        let name = service.name();
        let most = |points: &[(f64, f64)]| points.iter().map(|point| point.1).fold(0.0, f64::max);
        let (first, second) = points.split_at(points.len() / 2);
        let (first, second) = (most(first), most(second));
        if !points.is_empty() {
            report
                .add(LEAN, format!("{name}: memory at load"), first.max(second), "MB")
                .target(Target::AtMost(40.0))
                .note(format!("{} orders: first half {first:.1}, second {second:.1}", scale.hour));
        }
        if let Some((after, before)) = cpu_seconds(service.pid()).zip(before) {
            let each = 1e6 * (after - before) / scale.hour as f64;
            report.add(LEAN, format!("{name}: CPU per order"), each, "µs");
        }
        let title = "Memory while orders are fulfilled".to_owned();
        report.curves.push(Curve { title, line: name.to_owned(), x: "orders", y: "MB", points });
    }
    rig.stop(services).await?;
    Ok(rate)
}

/// The time from the request to the worker's last step, at several percentages of the capacity.
async fn latency(
    binaries: &Path,
    scale: Scale,
    capacity: f64,
    report: &mut Report,
) -> anyhow::Result<()> {
    for percent in [10.0, 50.0, 90.0] {
        let rate = (capacity * percent / 100.0).floor();
        progress(&format!("the whole system: {percent} % of its capacity"));
        let rig = Rig::set_up(binaries, Duration::ZERO).await?;
        let services = rig.start_all(Way::Direct).await?;
        let load = Load::burst(CONNECTIONS, WARM_UP_ORDERS);
        let warm_up = load::run(services[0].port, load).await?.accepted;
        let until = Until::Elapsed(Duration::from_secs(scale.load_seconds));
        let load = Load { pace: Pace::Open(rate), until, ..load };
        let measured = load::run(services[0].port, load).await?.accepted;
        let all: Vec<_> = warm_up.iter().chain(&measured).cloned().collect();
        settle(&rig, &all, report, || {}).await?;
        let fulfilled = rig.progress().fulfilled;
        let mut took = load::histogram()?;
        for order in &measured {
            if let Some(at) = fulfilled.get(&order.id) {
                took.record(u64::try_from(at.saturating_duration_since(order.due).as_micros())?)?;
            }
        }
        let name = format!("at {percent} % of that ({rate:.0}/s): p50");
        let figure = report.add(LATENCY, name, load::percentile(&took, 50.0), "ms");
        figure.note(load::percentiles(&took));
        rig.stop(services).await?;
    }
    Ok(())
}

/// The time from the start of a process until it is healthy: the median of several starts.
async fn start(
    binaries: &Path,
    name: &str,
    scale: Scale,
    report: &mut Report,
) -> anyhow::Result<()> {
    progress(&format!("the start of {name}"));
    let rig = Rig::set_up(binaries, Duration::ZERO).await?;
    let mut times = Vec::new();
    for _ in 0..scale.starts {
        let service = rig.start(name, Way::Direct).await?;
        // Dropping the service kills it.
        times.push(service.took);
    }
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let median = milliseconds(times[times.len() / 2]);
    let slowest = times.last().copied().map_or(median, milliseconds);
    report
        .add(LEAN, format!("{name}: start to healthy"), median, "ms")
        .target(Target::AtMost(50.0))
        .note(format!("median of {}, slowest {slowest:.1} ms", scale.starts));
    Ok(())
}
