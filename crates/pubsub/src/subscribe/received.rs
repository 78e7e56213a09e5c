//! A message as it came from the queue.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};

use crate::{
    notification::Notification,
    trace::{self, TRACEPARENT},
};

/// The id that SQS gave a message: the same for every copy of it.
pub type MessageId = Arc<str>;

/// A received message.
pub struct Received {
    pub lease: Lease,
    /// What the handler gets.
    pub notification: Notification,
}

/// The right to delete a message or to change when it becomes visible, until it becomes visible.
#[derive(Clone, Debug)]
pub struct Lease {
    pub id: MessageId,
    pub receipt_handle: String,
    /// How many times the message was received, this time included; a higher count is newer.
    pub attempt: u32,
}

impl Received {
    /// `None` for a message that could never be deleted, which SQS does not send.
    pub fn read(message: Message) -> Option<Self> {
        let mut system = message.attributes.unwrap_or_default();
        let attempt = system
            .remove(&MessageSystemAttributeName::ApproximateReceiveCount)
            .and_then(|count| count.parse().ok())
            .unwrap_or(1);
        let attributes: BTreeMap<_, _> = (message.message_attributes.into_iter().flatten())
            .filter_map(|(name, value)| Some((name, value.string_value?)))
            .collect();
        let id: MessageId = message.message_id?.into();
        let body = message.body.unwrap_or_default();
        let mut notification = Notification::read(body, &id, attributes, attempt);
        let xray = system.get(&MessageSystemAttributeName::AwsTraceHeader);
        if let Some(traceparent) = xray.and_then(|header| trace::from_xray(header)) {
            // What a service of ours sent says more.
            notification.attributes.entry(TRACEPARENT.to_owned()).or_insert(traceparent);
        }
        let lease = Lease { id, receipt_handle: message.receipt_handle?, attempt };
        Some(Self { lease, notification })
    }
}
