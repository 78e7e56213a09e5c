//! What a worker measures.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};

use crate::metrics::{counter, seconds};

/// How the handling of a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The handler succeeded.
    Handled,
    /// It is retried, because the handler failed.
    Retried,
    /// The handler was called again meanwhile, because a dependency was unavailable.
    Unavailable,
    /// It is given up.
    Poison,
    /// It is of a type that the subscriber does not know; it also counts as handled.
    UnknownType,
    /// Its lease was lost, or the worker exits.
    Cancelled,
}

impl Ended {
    const WORDS: [&str; 6] =
        ["handled", "retried", "unavailable", "poison", "unknown_type", "cancelled"];
}

/// The instruments of a worker. The conventions for messaging name the first two.
pub struct Metrics {
    queue: [KeyValue; 2],
    receive: [KeyValue; 3],
    received: Counter<u64>,
    duration: Histogram<f64>,
    messages: Counter<u64>,
    /// The attributes for each way in which the handling of a message ends.
    outcomes: [[KeyValue; 3]; Ended::WORDS.len()],
    leases: Counter<u64>,
}

impl Metrics {
    /// The instruments for the queue called `name`.
    pub fn new(name: &str) -> Self {
        let [system, queue] = attributes(name);
        Self {
            receive: [system, queue, KeyValue::new("messaging.operation.name", "receive")],
            queue: attributes(name),
            received: counter(
                "messaging.client.consumed.messages",
                "{message}",
                "Messages that were received",
            ),
            duration: seconds("messaging.process.duration", "How long a call of a handler took"),
            messages: messages(),
            outcomes: Ended::WORDS.map(|word| with_outcome(name, word)),
            leases: counter("worker.leases", "{lease}", "Leases that were renewed, or lost"),
        }
    }

    /// A poll returned as many messages.
    pub fn received(&self, messages: usize) {
        if messages > 0 {
            self.received.add(messages as u64, &self.receive);
        }
    }

    /// A call of a handler took so long.
    pub fn called(&self, time: Duration) {
        self.duration.record(time.as_secs_f64(), &self.queue);
    }

    /// The handling of a message ended, or goes on in spite of a failure.
    pub fn ended(&self, how: Ended) {
        self.messages.add(1, &self.outcomes[how as usize]);
    }

    /// A lease was renewed, or lost.
    pub fn lease(&self, is_lost: bool) {
        let [_, queue] = self.queue.clone();
        let outcome = if is_lost { "lost" } else { "renewed" };
        self.leases.add(1, &[queue, KeyValue::new("outcome", outcome)]);
    }
}

/// The attributes of everything that concerns a queue.
pub fn attributes(queue: &str) -> [KeyValue; 2] {
    [
        KeyValue::new("messaging.system", "aws_sqs"),
        KeyValue::new("messaging.destination.name", queue.to_owned()),
    ]
}

fn with_outcome(queue: &str, word: &'static str) -> [KeyValue; 3] {
    let [system, queue] = attributes(queue);
    [system, queue, KeyValue::new("outcome", word)]
}

/// Counts messages by how their handling ended.
fn messages() -> Counter<u64> {
    counter("worker.messages", "{message}", "Messages by how their handling ended")
}

/// Counts the messages of types that a subscriber does not know.
pub struct UnknownTypes(Counter<u64>);

impl UnknownTypes {
    pub fn new() -> Self {
        Self(messages())
    }

    pub fn add(&self) {
        let outcome = Ended::WORDS[Ended::UnknownType as usize];
        self.0.add(1, &[KeyValue::new("outcome", outcome)]);
    }
}
