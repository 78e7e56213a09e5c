//! How it grows: with workers, with the size of messages, and with the length of a backlog.

use std::{path::Path, time::Duration};

use pubsub::topic::Message;

use super::{
    NETWORK, Scale,
    consumer::{Consumer, Tuning},
    drain::{Drain, Drainer, drain, fill, small},
    report::Report,
    stage::{Stage, Way},
    tell,
};

const SECTION: &str = "How it grows";
const SETTINGS: &str = "Settings of a worker whose handler waits 20 ms, 5 ms per call";

/// Measures it along each dimension.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let (mut rates, mut memory) = (Vec::new(), Vec::new());
    for workers in [1, 2, 4, 8] {
        tell(&format!("growth: fulfilment with {workers} tasks, 5 ms per call"));
        let stage = Stage::set(binaries, NETWORK).await?;
        fill(&stage, scale.backlog, small).await?;
        let drain = drain(&stage, Drainer::Fulfilment(workers), Way::Proxy, scale).await?;
        let name = format!("fulfilment, tasks: {workers}, 5 ms per call");
        let note = format!("{:.1} MB the largest; {}", drain.memory, drain.limit);
        report.add(SECTION, name, drain.rate, "/s").note(note);
        rates.push((workers as f64, drain.rate));
        memory.push((workers as f64, drain.memory));
    }
    let workers = "tasks";
    report.curve("Messages a second, by tasks, 5 ms per call", workers, "per second", rates);
    report.curve("Memory of the largest, by tasks", workers, "MB", memory);

    let mut rates = Vec::new();
    for (kilobytes, messages) in [(1, scale.backlog), (200, scale.backlog / 20)] {
        tell(&format!("growth: messages of {kilobytes} KB"));
        let stage = Stage::set(binaries, Duration::ZERO).await?;
        fill(&stage, messages, || sized(kilobytes)).await?;
        let drain =
            drain(&stage, Drainer::Here(Consumer::Runtime(Tuning::default())), Way::Direct, scale)
                .await?;
        let name = format!("the runtime, messages of {kilobytes} KB");
        let megabytes = drain.rate * f64::from(kilobytes) / 1e3;
        report.add(SECTION, name, drain.rate, "/s").note(format!("{megabytes:.0} MB/s"));
        rates.push((f64::from(kilobytes), drain.rate));
    }
    report.curve("Messages a second, by size", "KB", "per second", rates);

    let mut rates = Vec::new();
    for messages in [scale.backlog, 10 * scale.backlog] {
        tell(&format!("growth: a backlog of {messages} messages"));
        let stage = Stage::set(binaries, Duration::ZERO).await?;
        fill(&stage, messages, small).await?;
        let scale = Scale { drain_seconds: 10 * scale.drain_seconds, ..scale };
        let drain =
            drain(&stage, Drainer::Here(Consumer::Runtime(Tuning::default())), Way::Direct, scale)
                .await?;
        report.add(SECTION, format!("the runtime, {messages} messages"), drain.rate, "/s");
        rates.push((messages as f64, drain.rate));
    }
    report.curve("Messages a second, by backlog", "messages", "per second", rates);
    settings(binaries, scale, report).await
}

/// What the settings of the runtime do, with 5 ms per call and a handler that waits for others.
async fn settings(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    const HANDLER: Duration = Duration::from_millis(20);
    let usual = Tuning { handler: HANDLER, ..Tuning::default() };
    let mut rates = Vec::new();
    for max_in_flight in [10, 100, 1_000] {
        let tuning = Tuning { max_in_flight, ..usual };
        let name = format!("{max_in_flight} messages in flight");
        let (drain, _) = tuned(binaries, scale, tuning, &name).await?;
        report.add(SETTINGS, name, drain.rate, "/s").note(drain.limit);
        rates.push((max_in_flight as f64, drain.rate));
    }
    report.curve("Messages a second, by messages in flight", "in flight", "per second", rates);
    for milliseconds in [0, 20, 100] {
        let tuning = Tuning { linger: Duration::from_millis(milliseconds), ..usual };
        let name = format!("deletions linger {milliseconds} ms");
        let (drain, deleted) = tuned(binaries, scale, tuning, &name).await?;
        let note = format!("{deleted:.1} messages in a request to delete");
        report.add(SETTINGS, name, drain.rate, "/s").note(note);
    }
    Ok(())
}

/// Drains a backlog over the network; returns how many messages each deletion took as well.
async fn tuned(
    binaries: &Path,
    scale: Scale,
    tuning: Tuning,
    name: &str,
) -> anyhow::Result<(Drain, f64)> {
    tell(&format!("settings: {name}"));
    let stage = Stage::set(binaries, NETWORK).await?;
    let messages = scale.backlog / 4;
    fill(&stage, messages, small).await?;
    let drain = drain(&stage, Drainer::Here(Consumer::Runtime(tuning)), Way::Proxy, scale).await?;
    let deletions = stage.proxy.counts().calls.get("SQS.DeleteMessageBatch").copied();
    let deleted = messages - stage.depth("fulfilment").await?;
    Ok((drain, deleted as f64 / deletions.unwrap_or(1) as f64))
}

/// A message of so many kilobytes.
fn sized(kilobytes: u32) -> Message {
    Message { body: "x".repeat(kilobytes as usize * 1_000), ..small() }
}
