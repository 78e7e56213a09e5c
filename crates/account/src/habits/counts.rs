//! The numbers of messages in a queue are approximate.
//!
//! They "are approximate because of the distributed architecture", and "may not achieve consistency
//! until at least 1 minute after the producers stop sending messages": SQS API reference,
//! `GetQueueAttributes`.

use serde_json::Value as Json;

use super::chance::Chance;

/// How far a number is off, at most.
const OFF_PERCENT: u64 = 50;
/// How many empty queues seem to have a message.
const GHOST_PERCENT: u8 = 10;

/// The numbers that SQS gives.
#[derive(Debug)]
pub struct Counts(Chance);

impl Counts {
    /// Draws from a seed.
    pub fn new(seed: u64) -> Self {
        Self(Chance::new(seed, "counts"))
    }

    /// Makes the numbers in an answer of `GetQueueAttributes` approximate.
    pub fn blur(&self, answer: &mut Json) {
        for (name, value) in answer["Attributes"].as_object_mut().into_iter().flatten() {
            let count = value.as_str().and_then(|it| it.parse::<u64>().ok());
            if let Some(count) = count.filter(|_| name.starts_with("ApproximateNumberOf")) {
                *value = self.blurred(count).to_string().into();
            }
        }
    }

    fn blurred(&self, count: u64) -> u64 {
        if count == 0 {
            return self.0.of(GHOST_PERCENT).into();
        }
        count * self.0.number(100 - OFF_PERCENT..=100 + OFF_PERCENT) / 100
    }
}
