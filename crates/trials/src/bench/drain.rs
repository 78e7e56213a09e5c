//! Orders out: how fast a backlog of messages is handled.

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
    consumer::{Consumer, Tuning},
    progress::progress,
    report::{Report, Target},
    rig::{Rig, Way},
    scale::{NETWORK, Scale},
};
use crate::usage::Meter;

const SECTION: &str = "Orders out";
/// How many messages are published at the same time to fill a queue.
const PUBLISHING: usize = 200;
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What drains the queue.
#[derive(Clone, Copy, Debug)]
pub enum Drainer {
    /// A consumer in this process.
    Here(Consumer),
    /// This many tasks of fulfilment, complete except for the banner.
    Fulfilment(usize),
}

/// The result of a drain.
pub struct Drain {
    /// Messages a second.
    pub rate: f64,
    /// The processor time of all tasks for a message, in microseconds; 0 without tasks.
    pub cpu_micros: f64,
    /// The memory of the largest task, in MB; 0 without tasks.
    pub memory: f64,
    /// What limited the rate.
    pub limit: String,
}

/// Compares the runtime and fulfilment with the bare limit and with one message at a time.
pub async fn measure(binaries: &Path, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let all = [
        ("one message at a time, like the original (a)", Drainer::Here(Consumer::OneByOne)),
        ("bare receives and batch deletes (b)", Drainer::Here(Consumer::Bare)),
        (
            "the runtime with a handler that does nothing",
            Drainer::Here(Consumer::Runtime(Tuning::default())),
        ),
        ("fulfilment, complete", Drainer::Fulfilment(1)),
    ];
    for (delay, network) in [(Duration::ZERO, ""), (NETWORK, ", 5 ms per call")] {
        let mut rates = Vec::new();
        for (name, drainer) in all {
            progress(&format!("drain: {name}{network}"));
            let rig = Rig::set_up(binaries, delay).await?;
            fill(&rig, scale.backlog, small).await?;
            let drain = drain(&rig, drainer, Way::with_delay(delay), scale).await?;
            rates.push(drain.rate);
            report.add(SECTION, format!("{name}{network}"), drain.rate, "/s").note(drain.limit);
        }
        let [one, bare, runtime, fulfilment] = rates[..] else { continue };
        let mut ratio = |name: &str, ratio: f64, unit, target: Option<f64>| {
            let figure = report.add(SECTION, format!("{name}{network}"), ratio, unit);
            figure.target = target.map(Target::AtLeast);
        };
        let near = delay.is_zero();
        ratio("the runtime compared with (b)", 100.0 * runtime / bare, "%", near.then_some(70.0));
        ratio(
            "the runtime compared with (a)",
            runtime / one,
            "times",
            Some(if near { 20.0 } else { 100.0 }),
        );
        ratio("fulfilment compared with (b)", 100.0 * fulfilment / bare, "%", near.then_some(30.0));
        ratio("fulfilment compared with (a)", fulfilment / one, "times", near.then_some(8.0));
    }
    Ok(())
}

/// The announcement of an order that earns no coupon.
pub fn small() -> Message {
    let amount = Amount::from_cents(4_200).expect("42.00 is an amount");
    let customer = "Ada Lovelace".parse().expect("a name");
    event::order_placed(&Order { id: OrderId::new(), customer, amount })
}

/// Puts `count` messages into fulfilment's queue, through the topic.
pub async fn fill(rig: &Rig, count: usize, message: impl Fn() -> Message) -> anyhow::Result<()> {
    let topic = Topic::new(&rig.aws(Way::Direct).await, rig.orders_topic()?.to_owned());
    let mut sending = JoinSet::new();
    for _ in 0..count {
        if sending.len() == PUBLISHING
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

/// Drains fulfilment's queue until it is empty, or for as long as `scale` allows.
pub async fn drain(rig: &Rig, drainer: Drainer, way: Way, scale: Scale) -> anyhow::Result<Drain> {
    let backlog = rig.fulfilment_depth().await?;
    let mut consuming = JoinSet::new();
    let mut services = Vec::new();
    let started = Instant::now();
    match drainer {
        Drainer::Here(consumer) => {
            consuming = consumer.start(&rig.aws(way).await, rig.fulfilment_queue()?);
        }
        Drainer::Fulfilment(count) => {
            for _ in 0..count {
                services.push(rig.start("fulfilment", way).await?);
            }
        }
    }
    let meter = Meter::start(services.iter().map(|service| service.pid()).collect());
    let drain = watch(rig, backlog, started, &meter, scale, || match consuming.try_join_next() {
        Some(failed) => failed?,
        None => Ok(()),
    })
    .await?;
    rig.stop(services).await?;
    Ok(drain)
}

/// Watches the queue from `started`, when it had `backlog` messages, until it is empty or for as
/// long as `scale` allows. Calls `look` meanwhile, which fails if the drainer has.
pub async fn watch(
    rig: &Rig,
    backlog: usize,
    started: Instant,
    meter: &Meter,
    scale: Scale,
    mut look: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Drain> {
    let mut memory = 0.0;
    let (left, took) = loop {
        let left = rig.fulfilment_depth().await?;
        let took = started.elapsed();
        memory = meter.memory_mb().max(memory);
        if left == 0 || took.as_secs() >= scale.drain_seconds {
            break (left, took);
        }
        look()?;
        sleep(LOOK_EVERY).await;
    };
    ensure!(left < backlog, "nothing was drained in {} s", took.as_secs());
    let drained = (backlog - left) as f64;
    Ok(Drain {
        rate: drained / took.as_secs_f64(),
        cpu_micros: 1e6 * meter.services_seconds() / drained,
        memory,
        limit: meter.limit(),
    })
}
