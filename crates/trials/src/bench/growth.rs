//! How the rate depends on the number of tasks, the size of messages, the length of the backlog and
//! the settings.

use std::{path::Path, time::Duration};

use pubsub::topic::Message;

use super::{
    consumer::{Consumer, Tuning},
    drain::{Drain, Drainer, drain, fill, small},
    progress::progress,
    report::Report,
    rig::{Rig, Way},
    scale::{NETWORK, Scale},
};

const SECTION: &str = "How it scales";
const SETTINGS: &str = "Settings of a worker whose handler waits 20 ms, 5 ms per call";

/// Measures the rate in each of these dimensions.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let (mut rates, mut memory) = (Vec::new(), Vec::new());
    for tasks in [1, 2, 4, 8] {
        progress(&format!("fulfilment with {tasks} tasks, 5 ms per call"));
        let rig = Rig::set_up(binaries, NETWORK).await?;
        fill(&rig, scale.backlog, small).await?;
        let drain = drain(&rig, Drainer::Fulfilment(tasks), Way::Proxy, scale).await?;
        let name = format!("tasks of fulfilment: {tasks}, 5 ms per call");
        let note = format!("the largest has {:.1} MB; {}", drain.memory, drain.limit);
        report.add(SECTION, name, drain.rate, "/s").note(note);
        rates.push((tasks as f64, drain.rate));
        memory.push((tasks as f64, drain.memory));
    }
    report.curve("Messages a second, by tasks, 5 ms per call", "tasks", "per second", rates);
    report.curve("Memory of the largest task, by tasks", "tasks", "MB", memory);

    let mut rates = Vec::new();
    for (kilobytes, messages) in [(1, scale.backlog), (200, scale.backlog / 20)] {
        progress(&format!("the runtime, messages of {kilobytes} KB"));
        let rig = Rig::set_up(binaries, Duration::ZERO).await?;
        fill(&rig, messages, || sized(kilobytes)).await?;
        let drain =
            drain(&rig, Drainer::Here(Consumer::Runtime(Tuning::default())), Way::Direct, scale)
                .await?;
        let name = format!("the runtime, messages of {kilobytes} KB");
        let megabytes = drain.rate * f64::from(kilobytes) / 1e3;
        report.add(SECTION, name, drain.rate, "/s").note(format!("{megabytes:.0} MB/s"));
        rates.push((f64::from(kilobytes), drain.rate));
    }
    report.curve("Messages a second, by size", "KB", "per second", rates);

    let mut rates = Vec::new();
    for messages in [scale.backlog, scale.long_backlog] {
        progress(&format!("the runtime, a backlog of {messages} messages"));
        let rig = Rig::set_up(binaries, Duration::ZERO).await?;
        fill(&rig, messages, small).await?;
        let scale = Scale { drain_seconds: 30 * scale.drain_seconds, ..scale };
        let drain =
            drain(&rig, Drainer::Here(Consumer::Runtime(Tuning::default())), Way::Direct, scale)
                .await?;
        report.add(
            SECTION,
            format!("the runtime, a backlog of {messages} messages"),
            drain.rate,
            "/s",
        );
        rates.push((messages as f64, drain.rate));
    }
    report.curve("Messages a second, by backlog", "messages", "per second", rates);
    settings(binaries, scale, report).await
}

/// How the rate depends on the runtime's settings, with 5 ms per call and a handler that waits.
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
        let name = format!("batching delay of deletes: {milliseconds} ms");
        let (drain, deleted) = tuned(binaries, scale, tuning, &name).await?;
        let note = format!("{deleted:.1} messages per delete request");
        report.add(SETTINGS, name, drain.rate, "/s").note(note);
    }
    Ok(())
}

/// Drains a backlog with the delay of a network. Also returns the messages per delete request.
async fn tuned(
    binaries: &Path,
    scale: Scale,
    tuning: Tuning,
    name: &str,
) -> anyhow::Result<(Drain, f64)> {
    progress(&format!("settings: {name}"));
    let rig = Rig::set_up(binaries, NETWORK).await?;
    let messages = scale.backlog / 4;
    fill(&rig, messages, small).await?;
    let drain = drain(&rig, Drainer::Here(Consumer::Runtime(tuning)), Way::Proxy, scale).await?;
    let deletions = rig.calls().get("SQS.DeleteMessageBatch").copied();
    let deleted = messages - rig.fulfilment_depth().await?;
    Ok((drain, deleted as f64 / deletions.unwrap_or(1) as f64))
}

/// A message of `kilobytes` KB.
fn sized(kilobytes: u32) -> Message {
    Message { body: "x".repeat(kilobytes as usize * 1_000), ..small() }
}
