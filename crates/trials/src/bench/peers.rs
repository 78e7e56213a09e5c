//! Speed beside peers: how fast other runtimes for SQS empty the same queue, in the same run.
//!
//! Every worker is a process of its own, with a handler that does nothing, as its documentation
//! writes one. The last is fulfilment, which publishes a report for each message besides.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use super::{
    drain::{Drain, Drainer, drain, fill, small, watch},
    progress::progress,
    report::Report,
    rig::{Rig, Way},
    scale::Scale,
};
use crate::usage::Meter;

mod install;

use install::Worker;

const SECTION: &str = "Speed beside peers";
/// A worker that has not handled a message by then never will.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Drains the same backlog with each peer that can be installed here, and with ours.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let target = binaries.parent().context("the binaries are in no target directory")?;
    progress("peers: installing them, which takes some minutes the first time");
    let mut peers = Vec::new();
    for (name, installed) in [
        ("sqs-consumer", install::sqs_consumer(target).await),
        ("ruststream", install::ruststream(target).await),
    ] {
        match installed {
            Ok(workers) => peers.extend(workers),
            Err(reason) => report.skip(format!("{name} is left out: {reason:#}")),
        }
    }
    let mut fastest: Option<(&str, Drain)> = None;
    for worker in &peers {
        let drained = drain_with(worker, binaries, scale, report).await?;
        if fastest.as_ref().is_none_or(|(_, other)| other.rate < drained.rate) {
            fastest = Some((&worker.name, drained));
        }
    }
    let runtime = drain_with(&install::ours()?, binaries, scale, report).await?;
    let name = "fulfilment, complete";
    progress(&format!("peers: {name}"));
    let rig = filled(binaries, scale).await?;
    let fulfilment = drain(&rig, Drainer::Fulfilment(1), Way::Direct, scale).await?;
    add(report, name, &fulfilment, &fulfilment.limit);

    let Some((peer, fastest)) = fastest else { return Ok(()) };
    for (name, ours) in [("our runtime", runtime), (name, fulfilment)] {
        let times = ours.rate / fastest.rate;
        let row = format!("{name}, compared with the fastest peer");
        report.add(SECTION, row, times, "times").note(peer);
        let percent = 100.0 * ours.cpu_micros / fastest.cpu_micros;
        let row = format!("{name}: its CPU, compared with that peer");
        report.add(SECTION, row, percent, "%");
    }
    Ok(())
}

fn add(report: &mut Report, name: &str, drained: &Drain, limit: &str) {
    let note = format!("{:.1} MB; {limit}", drained.memory);
    report.add(SECTION, name, drained.rate, "/s").note(note);
    report.add(SECTION, format!("{name}: CPU a message"), drained.cpu_micros, "µs");
}

/// An account whose queue of fulfilment has a backlog.
async fn filled(binaries: &Path, scale: Scale) -> anyhow::Result<Rig> {
    let rig = Rig::set_up(binaries, Duration::ZERO).await?;
    fill(&rig, scale.backlog, small).await?;
    Ok(rig)
}

/// Drains a backlog, measured from the first message that was handled: runtimes differ in how long
/// they take to start.
async fn drain_with(
    worker: &Worker,
    binaries: &Path,
    scale: Scale,
    report: &mut Report,
) -> anyhow::Result<Drain> {
    progress(&format!("peers: {}", worker.name));
    let rig = filled(binaries, scale).await?;
    let mut process = start(worker, &rig)?;
    let pid = process.id().context("the worker has exited")?;
    let full = rig.fulfilment_depth().await?;
    let deadline = Instant::now() + START_TIMEOUT;
    let mut backlog = full;
    while backlog == full {
        ensure!(Instant::now() < deadline, "{} handles nothing", worker.name);
        sleep(LOOK_EVERY).await;
        backlog = rig.fulfilment_depth().await?;
    }
    let meter = Meter::start(vec![pid.try_into()?]);
    let drained = watch(&rig, backlog, Instant::now(), &meter, scale, || {
        let exited = process.try_wait()?;
        ensure!(exited.is_none(), "{} has exited", worker.name);
        Ok(())
    })
    .await?;
    add(report, &worker.name, &drained, &meter.share());
    Ok(drained)
}

/// Starts a worker, which is killed when its handle is dropped.
fn start(worker: &Worker, rig: &Rig) -> anyhow::Result<Child> {
    Command::new(&worker.program)
        .args(&worker.arguments)
        .env_clear()
        .envs(rig.variables(Way::Direct))
        .env("QUEUE_URL", rig.fulfilment_queue()?)
        .envs(worker.variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {}", worker.name))
}
