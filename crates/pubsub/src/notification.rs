//! Reads what SNS delivers to a queue: a JSON envelope that contains the published message.
//!
//! The SNS developer guide documents the envelope in "Parsing Amazon SNS message formats". A
//! message that was sent directly to the queue, or by raw delivery, has no envelope: its body is
//! the message.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use aws_smithy_types::{DateTime, date_time::Format};
use serde::Deserialize;

use crate::{
    replay::{CAUSED, REPLAYED},
    trace::TRACEPARENT,
};

/// A published message, as a subscriber received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// The id from SNS; without an envelope, the id from SQS.
    pub message_id: String,
    /// The name of the topic; `None` without an envelope.
    pub topic: Option<String>,
    /// When SNS took it; `None` without an envelope. A message that was redriven has the time of
    /// its first delivery.
    pub published_at: Option<SystemTime>,
    /// The published text.
    pub message: String,
    /// The message attributes, without their types.
    pub attributes: BTreeMap<String, String>,
    /// The message group, if the queue has groups. A FIFO queue keeps the order within a group.
    pub group: Option<String>,
    /// How many times the message was received, including this time.
    pub attempt: u32,
    /// How many times the handler was called before for this receive, because something that it
    /// depends on was unavailable.
    pub retries: u32,
    /// The envelope as SNS sent it, for a handler of
    /// [`Envelope`](crate::subscribe::Envelope); for others it is not kept.
    pub envelope: Option<Arc<str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parts {
    r#type: String,
    message_id: String,
    topic_arn: String,
    message: String,
    #[serde(default)]
    timestamp: String,
    #[serde(default)]
    message_attributes: BTreeMap<String, Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    value: String,
}

impl Notification {
    /// The trace context of the sender.
    pub(crate) fn traceparent(&self) -> Option<&str> {
        self.attributes.get(TRACEPARENT).map(String::as_str)
    }

    /// Whether it was [replayed](crate::replay): sent to this queue again, past SNS.
    pub fn is_replayed(&self) -> bool {
        self.attributes.contains_key(REPLAYED)
    }

    /// Whether it was published because of a replayed message.
    pub fn is_caused_by_replay(&self) -> bool {
        self.attributes.contains_key(CAUSED)
    }

    /// Reads the body of a queue message, with or without an envelope.
    ///
    /// `sqs_message_id` and `sqs_attributes` are the id and the message attributes from SQS. They
    /// are used only if there is no envelope.
    pub fn read(
        body: String,
        sqs_message_id: &str,
        sqs_attributes: BTreeMap<String, String>,
        attempt: u32,
    ) -> Self {
        match serde_json::from_str::<Parts>(&body) {
            Ok(envelope) if envelope.r#type == "Notification" => Self {
                message_id: envelope.message_id,
                topic: envelope.topic_arn.rsplit(':').next().map(str::to_owned),
                published_at: time(&envelope.timestamp),
                message: envelope.message,
                attributes: (envelope.message_attributes.into_iter())
                    .map(|(name, attribute)| (name, attribute.value))
                    .collect(),
                group: None,
                attempt,
                retries: 0,
                envelope: None,
            },
            _ => Self {
                message_id: sqs_message_id.to_owned(),
                topic: None,
                published_at: None,
                message: body,
                attributes: sqs_attributes,
                group: None,
                attempt,
                retries: 0,
                envelope: None,
            },
        }
    }
}

/// A time of SNS, such as `2026-11-20T12:00:00.000Z`.
fn time(text: &str) -> Option<SystemTime> {
    DateTime::from_str(text, Format::DateTime).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn an_envelope_is_unwrapped() {
        let body = r#"{
            "Type": "Notification", "MessageId": "sns-1", "Timestamp": "2026-11-20T12:00:00.000Z",
            "TopicArn": "arn:aws:sns:eu-west-1:123456789012:pubsub-test-publisher-ordersTopic",
            "Message": "{\"customer\":\"Ada\"}",
            "MessageAttributes": {"amount": {"Type": "Number", "Value": "120.00"}}
        }"#;
        let read = Notification::read(body.to_owned(), "sqs-1", BTreeMap::new(), 2);
        assert_eq!(
            read,
            Notification {
                message_id: "sns-1".to_owned(),
                topic: Some("pubsub-test-publisher-ordersTopic".to_owned()),
                published_at: Some(UNIX_EPOCH + Duration::from_secs(1_795_176_000)),
                message: r#"{"customer":"Ada"}"#.to_owned(),
                attributes: BTreeMap::from([("amount".to_owned(), "120.00".to_owned())]),
                group: None,
                attempt: 2,
                retries: 0,
                envelope: None,
            }
        );
    }

    #[test]
    fn a_body_without_an_envelope_is_the_message() {
        let other = r#"{
            "Type": "UnsubscribeConfirmation", "MessageId": "sns-1", "Message": "You have chosen",
            "TopicArn": "arn:aws:sns:eu-west-1:123456789012:ordersTopic"
        }"#;
        for body in [r#"{"customer":"Ada"}"#, "", "{", r#"{"Type":"Other"}"#, other] {
            let attributes = BTreeMap::from([("amount".to_owned(), "80".to_owned())]);
            let read = Notification::read(body.to_owned(), "sqs-1", attributes.clone(), 1);
            assert_eq!(
                read,
                Notification {
                    message_id: "sqs-1".to_owned(),
                    topic: None,
                    published_at: None,
                    message: body.to_owned(),
                    attributes,
                    group: None,
                    attempt: 1,
                    retries: 0,
                    envelope: None,
                }
            );
        }
    }
}
