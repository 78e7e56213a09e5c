//! `--to-zero`: which workers have something to do, as the scaling policies in the manifests decide
//! it on AWS, without their minutes of metrics.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use aws_sdk_sqs::{Client, types::QueueAttributeName as Attribute};
use console::times::in_words;
use local::system::System;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::supervise::{Rest, Tasks};

/// How often the queues are asked: a person waits for a worker to start.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The queues of the workers that start and stop by them.
#[derive(Debug)]
pub struct ToZero {
    sqs: Client,
    queues: BTreeMap<String, Queue>,
    /// The time without a message after which a worker stops.
    idle: Duration,
    looks: Interval,
}

#[derive(Debug)]
struct Queue {
    url: String,
    /// Since when a worker that runs has had nothing.
    empty_since: Option<Instant>,
}

/// What a worker should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Start, because this many messages wait.
    Start(String, u64),
    /// Stop, because there has been no message for so long.
    Stop(String),
}

impl ToZero {
    /// The queues of these workers, which stop after `idle` without a message.
    pub async fn of(system: &System, workers: &[String], idle: Duration) -> Self {
        let queue = |name: &String| {
            let url = system.account.service(name)?.queue.as_ref()?.url.clone();
            Some((name.clone(), Queue { url, empty_since: None }))
        };
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let sqs = Client::new(&system.target.config().await);
        Self { sqs, queues: workers.iter().filter_map(queue).collect(), idle, looks }
    }

    /// The workers.
    pub fn workers(&self) -> Vec<String> {
        self.queues.keys().cloned().collect()
    }

    /// Waits until a worker should start or stop.
    pub async fn next(&mut self, tasks: &Tasks) -> Wanted {
        loop {
            self.looks.tick().await;
            for (name, queue) in &mut self.queues {
                // Who cannot be asked now is asked again.
                let Some((waiting, held)) = messages(&self.sqs, &queue.url).await else { continue };
                let rest = tasks.rest(name);
                if rest != Rest::Awake || waiting + held > 0 {
                    queue.empty_since = None;
                }
                if rest == Rest::Asleep && waiting > 0 {
                    return Wanted::Start(name.clone(), waiting);
                }
                if rest == Rest::Awake && waiting + held == 0 {
                    let since = queue.empty_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.idle {
                        queue.empty_since = None;
                        return Wanted::Stop(name.clone());
                    }
                }
            }
        }
    }

    /// What a person is told of it.
    pub fn said(&self, wanted: &Wanted) -> String {
        match wanted {
            Wanted::Start(name, 1) => format!("{name} starts: a message waits"),
            Wanted::Start(name, waiting) => format!("{name} starts: {waiting} messages wait"),
            Wanted::Stop(name) => {
                format!("{name} stops: no message for {}", in_words(self.idle))
            }
        }
    }
}

/// How many messages wait in a queue, and how many are in the hands of a worker or delayed.
async fn messages(sqs: &Client, url: &str) -> Option<(u64, u64)> {
    const HELD: [Attribute; 2] = [
        Attribute::ApproximateNumberOfMessagesNotVisible,
        Attribute::ApproximateNumberOfMessagesDelayed,
    ];
    let ask = sqs.get_queue_attributes().queue_url(url);
    let answer = ask.attribute_names(Attribute::All).send().await.ok()?;
    let count = |name: &Attribute| answer.attributes()?.get(name)?.parse::<u64>().ok();
    let held = HELD.iter().filter_map(count).sum();
    Some((count(&Attribute::ApproximateNumberOfMessages)?, held))
}
