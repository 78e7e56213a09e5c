//! Orders out: how fast a backlog of messages goes.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use orders::{
    event,
    order::{Amount, Order, OrderId},
};
use pubsub::topic::{Message, Topic};
use tokio::{task::JoinSet, time::sleep};

use super::{
    NETWORK, Scale,
    consumer::{Consumer, Tuning},
    report::{Report, Target},
    stage::{Stage, Way},
    tell,
    usage::Meter,
};

const SECTION: &str = "Orders out";
/// How many messages are sent at once to fill a queue.
const FILLING: usize = 200;
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What drains.
#[derive(Clone, Copy, Debug)]
pub enum Drainer {
    /// Something in this process.
    Here(Consumer),
    /// So many fulfilment services, complete but for the banner.
    Fulfilment(usize),
}

/// How a drain went.
pub struct Drain {
    /// Messages a second.
    pub rate: f64,
    /// The most that one service held in memory, in MB; 0 without one.
    pub memory: f64,
    /// What kept it from being faster.
    pub limit: String,
}

/// Compares the runtime and fulfilment with the bare limit and with one message at a time.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let all = [
        ("one message at a time, as the original (a)", Drainer::Here(Consumer::OneByOne)),
        ("bare receives and batch deletes (b)", Drainer::Here(Consumer::Bare)),
        (
            "the runtime, its handler does nothing",
            Drainer::Here(Consumer::Runtime(Tuning::default())),
        ),
        ("fulfilment complete", Drainer::Fulfilment(1)),
    ];
    for (delay, network) in [(Duration::ZERO, ""), (NETWORK, ", 5 ms per call")] {
        let mut rates = Vec::new();
        for (name, drainer) in all {
            tell(&format!("drain: {name}{network}"));
            let stage = Stage::set(binaries, delay).await?;
            fill(&stage, scale.backlog, small).await?;
            let drain = drain(&stage, drainer, way(delay), scale).await?;
            rates.push(drain.rate);
            report.add(SECTION, format!("{name}{network}"), drain.rate, "/s").note(drain.limit);
        }
        let [one, bare, runtime, fulfilment] = rates[..] else { continue };
        let mut ratio = |name: &str, ratio: f64, unit, target: Option<f64>| {
            let figure = report.add(SECTION, format!("{name}{network}"), ratio, unit);
            figure.target = target.map(Target::AtLeast);
        };
        let near = delay.is_zero();
        ratio("runtime to (b)", 100.0 * runtime / bare, "%", near.then_some(70.0));
        ratio("runtime to (a)", runtime / one, "times", Some(if near { 20.0 } else { 100.0 }));
        ratio("fulfilment to (b)", 100.0 * fulfilment / bare, "%", near.then_some(30.0));
        ratio("fulfilment to (a)", fulfilment / one, "times", near.then_some(8.0));
    }
    Ok(())
}

/// By which way services and consumers reach AWS: the proxy only where it is wanted.
pub fn way(delay: Duration) -> Way {
    if delay.is_zero() { Way::Direct } else { Way::Proxy }
}

/// An announcement of an order that earns no coupon.
pub fn small() -> Message {
    let amount = Amount::from_cents(4_200).expect("42.00 is an amount");
    let customer = "Ada Lovelace".parse().expect("a name");
    event::order_placed(&Order { id: OrderId::new(), customer, amount })
}

/// Puts so many messages into the queue of fulfilment, by way of the topic.
pub async fn fill(
    stage: &Stage,
    count: usize,
    message: impl Fn() -> Message,
) -> anyhow::Result<()> {
    let topic = Topic::new(&stage.aws(Way::Direct).await, stage.orders_topic()?.to_owned());
    let mut sending = JoinSet::new();
    for _ in 0..count {
        if sending.len() == FILLING
            && let Some(sent) = sending.join_next().await
        {
            sent??;
        }
        let (topic, message) = (topic.clone(), message());
        sending.spawn(async move { topic.publish(message).await });
    }
    while let Some(sent) = sending.join_next().await {
        sent??;
    }
    Ok(())
}

/// Drains the queue of fulfilment until it is empty, or for as long as `scale` allows.
pub async fn drain(
    stage: &Stage,
    drainer: Drainer,
    way: Way,
    scale: Scale,
) -> anyhow::Result<Drain> {
    let backlog = stage.depth("fulfilment").await?;
    let mut consuming = JoinSet::new();
    let mut services = Vec::new();
    let started = Instant::now();
    match drainer {
        Drainer::Here(consumer) => {
            consuming = consumer.start(&stage.aws(way).await, stage.queue()?);
        }
        Drainer::Fulfilment(count) => {
            for _ in 0..count {
                services.push(stage.start("fulfilment", way).await?);
            }
        }
    }
    let meter = Meter::start(services.iter().map(|service| service.pid()).collect());
    let mut memory = 0.0;
    let (left, took) = loop {
        let left = stage.depth("fulfilment").await?;
        let took = started.elapsed();
        memory = meter.memory_mb().max(memory);
        if left == 0 || took.as_secs() >= scale.drain_seconds {
            break (left, took);
        }
        if let Some(ended) = consuming.try_join_next() {
            ended??;
        }
        sleep(LOOK_EVERY).await;
    };
    ensure!(left < backlog, "nothing was drained in {} s", took.as_secs());
    let limit = meter.limit();
    stage.stop(services).await?;
    Ok(Drain { rate: (backlog - left) as f64 / took.as_secs_f64(), memory, limit })
}
