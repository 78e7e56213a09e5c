//! A message as it was received from the queue.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};

use crate::{
    notification::Notification,
    trace::{self, TRACEPARENT},
};

/// The id from SQS. All deliveries of a message have the same id.
pub type MessageId = Arc<str>;

/// A received message.
pub struct Received {
    pub lease: Lease,
    /// The handler's argument.
    pub notification: Notification,
}

/// Permission to delete a message or change its visibility timeout, until that timeout ends.
#[derive(Clone, Debug)]
pub struct Lease {
    pub id: MessageId,
    pub receipt_handle: String,
    /// How many times the message was received, including this time. The newest lease has the
    /// highest number.
    pub attempt: u32,
}

impl Received {
    /// `None` without an id or a receipt handle. SQS always sends both. The notification has the
    /// envelope only if that is asked for.
    pub fn read(message: Message, keeps_envelope: bool) -> Option<Self> {
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
        let text = keeps_envelope.then(|| body.as_str().into());
        let mut notification = Notification::read(body, &id, attributes, attempt);
        notification.envelope = text.filter(|_| notification.topic.is_some());
        let xray = system.get(&MessageSystemAttributeName::AwsTraceHeader);
        if let Some(traceparent) = xray.and_then(|header| trace::from_xray(header)) {
            // A `traceparent` from the sender is more precise.
            notification.attributes.entry(TRACEPARENT.to_owned()).or_insert(traceparent);
        }
        notification.group = system.remove(&MessageSystemAttributeName::MessageGroupId);
        let lease = Lease { id, receipt_handle: message.receipt_handle?, attempt };
        Some(Self { lease, notification })
    }
}
