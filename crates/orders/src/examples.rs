//! An example of every message that was ever sent. Consumers' tests read all of them.

use std::collections::BTreeMap;

use pubsub::notification::Notification;

/// A message as a queue has it.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The name of its file in `golden`, after the version that began to send it.
    pub file: &'static str,
    /// The name of its [`EventType`](crate::contract::EventType).
    pub event: &'static str,
    /// Whether it is sent today.
    pub is_current: bool,
    /// The body of the queue's message: an envelope of SNS.
    pub body: &'static str,
}

impl Example {
    /// The message as a subscriber receives it.
    pub fn notification(&self) -> Notification {
        Notification::read(self.body.to_owned(), "an id from SQS", BTreeMap::new(), 1)
    }
}

/// An example, whose file was sent by an earlier version or is sent today.
macro_rules! example {
    ($is_current:literal, $event:literal, $file:literal) => {
        Example {
            file: $file,
            event: $event,
            is_current: $is_current,
            body: include_str!(concat!("golden/", $file)),
        }
    };
}

/// All of them. Files are added and never changed.
pub const EXAMPLES: &[Example] = &[
    example!(false, "order.placed", "order.placed-python.json"),
    example!(true, "order.placed", "order.placed-0.1.0.json"),
    example!(true, "order.reported", "report-0.1.0-started.json"),
    example!(true, "order.reported", "report-0.1.0-fulfilled.json"),
    example!(true, "order.reported", "report-0.1.0-failed.json"),
    example!(false, "order.reported", "report-0.1.0-coupon.json"),
    example!(true, "order.reported", "report-attachments.json"),
    example!(true, "payment", "payment.received.json"),
    example!(true, "payment", "payment.failed.json"),
    example!(true, "webhook", "webhook.json"),
    example!(true, "ping", "ping-0.1.0.json"),
];
