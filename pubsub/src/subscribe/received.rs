//! A message as it came from the queue.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};

use crate::notification::Notification;

/// The id that SQS gave a message: the same for every copy of it.
pub type MessageId = Arc<str>;

/// A received message.
pub struct Received {
    pub lease: Lease,
    pub body: String,
    pub attributes: BTreeMap<String, String>,
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
        let attempt = message
            .attributes
            .and_then(|mut system| {
                system.remove(&MessageSystemAttributeName::ApproximateReceiveCount)
            })
            .and_then(|count| count.parse().ok())
            .unwrap_or(1);
        let attributes = message.message_attributes.into_iter().flatten();
        Some(Self {
            lease: Lease {
                id: message.message_id?.into(),
                receipt_handle: message.receipt_handle?,
                attempt,
            },
            body: message.body.unwrap_or_default(),
            attributes: attributes
                .filter_map(|(name, value)| Some((name, value.string_value?)))
                .collect(),
        })
    }

    /// What the handler gets.
    pub fn into_notification(self) -> Notification {
        Notification::read(self.body, &self.lease.id, self.attributes, self.lease.attempt)
    }
}
