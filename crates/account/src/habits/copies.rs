//! A message that was deleted is delivered again.
//!
//! "On rare occasions, one of the servers that stores a copy of a message might be unavailable when
//! you receive or delete a message. If this occurs, the copy of the message isn't deleted on that
//! unavailable server, and you might get that message copy again": SQS developer guide,
//! "At-least-once delivery".

use serde_json::{Value as Json, json};

use super::chance::Chance;

/// How many deletes leave a copy. On AWS it is far fewer.
const PERCENT: u8 = 3;
/// When the copy is delivered.
const AFTER_SECONDS: u64 = 1;

/// The copies that deletes leave.
#[derive(Debug)]
pub struct Copies(Chance);

impl Copies {
    /// Draws from a seed.
    pub fn new(seed: u64) -> Self {
        Self(Chance::new(seed, "copies"))
    }

    /// Whether a delete leaves a copy.
    pub fn remain(&self) -> bool {
        self.0.of(PERCENT)
    }
}

/// The request `ChangeMessageVisibility` that takes the place of a delete.
pub fn kept(queue_url: &Json, receipt_handle: &Json) -> Json {
    json!({
        "QueueUrl": queue_url,
        "ReceiptHandle": receipt_handle,
        "VisibilityTimeout": AFTER_SECONDS,
    })
}
