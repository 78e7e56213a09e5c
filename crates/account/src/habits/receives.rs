//! A receive brings fewer messages than it asks for, in any order.
//!
//! - "Short polling […] queries a subset of servers […] and sends an immediate response, even if no
//!   messages are found": SQS developer guide, "Amazon SQS short and long polling".
//! - "Fewer messages might be returned": SQS API reference, `ReceiveMessage`.
//! - A standard queue keeps the order only as well as it can: SQS developer guide, "Standard
//!   queues".

use serde_json::Value as Json;

use super::chance::Chance;

/// How many receives ask for fewer messages.
const FEWER_PERCENT: u8 = 50;
/// How many short polls find nothing, whatever there is.
const EMPTY_PERCENT: u8 = 25;
/// The most that SQS brings at once.
const MOST: u64 = 10;

/// What a receive brings.
#[derive(Debug)]
pub struct Receives(Chance);

impl Receives {
    /// Draws from a seed.
    pub fn new(seed: u64) -> Self {
        Self(Chance::new(seed, "receives"))
    }

    /// Makes `request` ask for fewer messages. False if it finds none at all.
    pub fn sample(&self, request: &mut Json) -> bool {
        let is_short = request["WaitTimeSeconds"].as_u64() == Some(0);
        if is_short && self.0.of(EMPTY_PERCENT) {
            return false;
        }
        let most = request["MaxNumberOfMessages"].as_u64().unwrap_or(1).clamp(1, MOST);
        if self.0.of(FEWER_PERCENT) {
            request["MaxNumberOfMessages"] = self.0.number(1..=most).into();
        }
        true
    }

    /// Puts the messages of an answer into any order.
    pub fn shuffle(&self, answer: &mut Json) {
        if let Some(messages) = answer["Messages"].as_array_mut() {
            self.0.shuffle(messages);
        }
    }
}
