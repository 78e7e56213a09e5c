//! SNS delivers to a queue late, out of order, and sometimes twice.
//!
//! - It delivers a message after it has accepted it, and retries what a queue does not take:
//!   <https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>
//! - "Standard topics offer […] best-effort ordering […] and at least once delivery":
//!   <https://docs.aws.amazon.com/sns/latest/dg/sns-create-topic.html>

use std::time::Duration;

use super::chance::Chance;

/// How many deliveries are late.
const LATE_PERCENT: u8 = 20;
/// How late. A retry on AWS may take longer.
const LATE_MS: std::ops::RangeInclusive<u64> = 1..=1_000;
/// How many are made twice. On AWS it is far fewer.
const TWICE_PERCENT: u8 = 2;

/// The deliveries of SNS.
#[derive(Debug)]
pub struct Deliveries(Chance);

/// One delivery.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// When, after SNS has accepted the message.
    pub after: Duration,
    /// How often.
    pub times: usize,
}

impl Deliveries {
    /// Draws from a seed.
    pub fn new(seed: u64) -> Self {
        Self(Chance::new(seed, "deliveries"))
    }

    /// The next delivery.
    pub fn next(&self) -> Delivery {
        let after = if self.0.of(LATE_PERCENT) { self.0.number(LATE_MS) } else { 0 };
        let times = if self.0.of(TWICE_PERCENT) { 2 } else { 1 };
        Delivery { after: Duration::from_millis(after), times }
    }
}
