//! What SNS puts into a queue: a JSON envelope around the message that was published.
//!
//! The envelope is documented in the SNS developer guide, "Parsing Amazon SNS message formats".
//! Copilot never turns on raw delivery, but someone who mends a message by hand, or who sends to
//! the queue directly, leaves the envelope out; so a body without one is the message itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::trace::TRACEPARENT;

/// A published message, as a subscriber received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// The id that SNS gave the message; without an envelope, the id that SQS gave it.
    pub message_id: String,
    /// The name of the topic, if there is an envelope.
    pub topic: Option<String>,
    /// The text that was published.
    pub message: String,
    /// The attributes that were published with it.
    pub attributes: BTreeMap<String, String>,
    /// How many times the message was received, this time included.
    pub attempt: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    r#type: String,
    message_id: String,
    topic_arn: String,
    message: String,
    #[serde(default)]
    message_attributes: BTreeMap<String, Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    value: String,
}

impl Notification {
    /// The trace that the message belongs to.
    pub fn traceparent(&self) -> Option<&str> {
        self.attributes.get(TRACEPARENT).map(String::as_str)
    }

    /// Reads the body of a queue message, in either form.
    ///
    /// `sqs_message_id` and `sqs_attributes` are what SQS itself says of the message; they count
    /// only where there is no envelope.
    pub fn read(
        body: String,
        sqs_message_id: &str,
        sqs_attributes: BTreeMap<String, String>,
        attempt: u32,
    ) -> Self {
        match serde_json::from_str::<Envelope>(&body) {
            Ok(envelope) if envelope.r#type == "Notification" => Self {
                message_id: envelope.message_id,
                topic: envelope.topic_arn.rsplit(':').next().map(str::to_owned),
                message: envelope.message,
                attributes: (envelope.message_attributes.into_iter())
                    .map(|(name, attribute)| (name, attribute.value))
                    .collect(),
                attempt,
            },
            _ => Self {
                message_id: sqs_message_id.to_owned(),
                topic: None,
                message: body,
                attributes: sqs_attributes,
                attempt,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_taken_off() {
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
                message: r#"{"customer":"Ada"}"#.to_owned(),
                attributes: BTreeMap::from([("amount".to_owned(), "120.00".to_owned())]),
                attempt: 2,
            }
        );
    }

    #[test]
    fn a_body_without_an_envelope_is_the_message() {
        for body in [r#"{"customer":"Ada"}"#, "", "{", r#"{"Type":"Other"}"#] {
            let attributes = BTreeMap::from([("amount".to_owned(), "80".to_owned())]);
            let read = Notification::read(body.to_owned(), "sqs-1", attributes.clone(), 1);
            assert_eq!(
                read,
                Notification {
                    message_id: "sqs-1".to_owned(),
                    topic: None,
                    message: body.to_owned(),
                    attributes,
                    attempt: 1,
                }
            );
        }
    }
}
