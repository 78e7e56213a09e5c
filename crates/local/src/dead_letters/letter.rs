//! A dead letter, as an operator sees it.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use orders::{event::Event, payment::News};
use pubsub::{notification::Notification, subscribe::FromMessage as _};
use serde::Serialize;

/// A message that failed every attempt.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetter {
    /// The id that SQS gave it.
    pub message_id: String,
    /// When it was sent to the queue, in milliseconds since 1970. SQS does not say when it failed.
    pub sent_at_ms: u64,
    /// How many times it was received, including to show it.
    pub receive_count: u32,
    /// An order's id, whose report or payment it is, or why the message cannot be read, without
    /// quoting it.
    pub subject: String,
    /// The message itself, with what a customer typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl DeadLetter {
    /// Reads a message, and as much of its body as possible.
    pub fn read(message: &Message) -> Self {
        let system = |name| {
            let value = message.attributes.as_ref()?.get(&name)?;
            value.parse::<u64>().ok()
        };
        let receives = system(MessageSystemAttributeName::ApproximateReceiveCount);
        let receive_count = receives.unwrap_or_default().try_into().unwrap_or(u32::MAX);
        Self {
            message_id: message.message_id.clone().unwrap_or_default(),
            sent_at_ms: system(MessageSystemAttributeName::SentTimestamp).unwrap_or_default(),
            receive_count,
            subject: subject(message, receive_count),
            body: message.body.clone(),
        }
    }
}

fn subject(message: &Message, attempt: u32) -> String {
    let attributes = message.message_attributes.iter().flatten();
    let attributes: BTreeMap<String, String> = attributes
        .filter_map(|(name, value)| Some((name.clone(), value.string_value.clone()?)))
        .collect();
    let body = message.body.clone().unwrap_or_default();
    let id = message.message_id.as_deref().unwrap_or_default();
    let notification = Notification::read(body, id, attributes, attempt);
    // The publisher receives reports and payments.
    match News::from_message(&notification) {
        Ok(News::Report(report)) => {
            return format!("report of {} about order {}", report.service, report.order_id);
        }
        Ok(News::Payment(event)) => {
            return format!("payment {} for order {}", event.data.payment_id, event.data.order_id);
        }
        Err(_) => {}
    }
    match Event::from_message(&notification) {
        Ok(Event::OrderPlaced(order)) => format!("order {}", order.id),
        Ok(Event::Ping(_)) => "a ping".to_owned(),
        // Reasons do not quote the message.
        Err(why) => format!("unreadable: {why:#}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f";

    fn subject_of(body: impl Into<String>) -> String {
        DeadLetter::read(&Message::builder().message_id("1").body(body).build()).subject
    }

    #[test]
    fn a_letter_is_an_order_a_report_or_unreadable_and_is_not_quoted() {
        let order = json!({ "id": ID, "customer": "Ada", "amount": "80" });
        assert_eq!(subject_of(order.to_string()), format!("order {ID}"));
        let report = json!({
            "order_id": ID, "service": "promotion", "attempt": 1, "state": "done",
            "steps": [{ "name": "started", "at": 1 }],
        });
        let about = format!("report of promotion about order {ID}");
        assert_eq!(subject_of(report.to_string()), about);
        let subject = subject_of("{ Ada's broken message");
        assert!(subject.starts_with("unreadable: the message "), "{subject}");
        assert!(!subject.contains("Ada"), "{subject}");
    }
}
