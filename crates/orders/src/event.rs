//! The events of the system, and their form as messages.

use std::str::FromStr;

use anyhow::{Context as _, anyhow, bail};
use pubsub::{
    notification::Notification,
    subscribe::{FromMessage, UnknownType},
    topic::{Attribute, Message},
};
use serde::Deserialize;
use serde_json::{Value, error::Category};

use crate::order::Order;

/// The message attribute that holds the type of the event.
pub const EVENT_TYPE: &str = "event_type";
/// The message attribute that holds the total, for filter policies.
pub const AMOUNT: &str = "amount";
/// The type of the event of an accepted order.
pub const ORDER_PLACED: &str = "order.placed";
/// The type of a ping.
pub const PING: &str = "ping";

/// The topic of accepted orders, as the publisher's manifest names it.
pub const ORDERS_TOPIC: &str = "ordersTopic";
/// The topic of pings, which show whether messages arrive at all.
pub const PING_TOPIC: &str = "ping";

/// An event that a subscriber may receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An order was accepted.
    OrderPlaced(Order),
    /// A message to see arrive, with its text.
    Ping(String),
}

/// The body of an `order.placed` message.
///
/// A superset of what the Python original sends (`customer`, and `amount` as a string): each side
/// reads the other's messages, so a team can migrate one service at a time.
///
/// The values are read one by one, because serde's own errors quote the input, and errors are
/// logged.
#[derive(Deserialize)]
struct OrderPlaced {
    id: Option<Value>,
    customer: Option<Value>,
    amount: Option<Value>,
}

/// The message that announces an accepted order.
pub fn order_placed(order: &Order) -> Message {
    Message {
        body: serde_json::to_string(order).expect("an order consists of strings"),
        attributes: vec![
            (EVENT_TYPE, Attribute::Text(ORDER_PLACED.to_owned())),
            (AMOUNT, Attribute::Number(order.amount.to_string())),
        ],
        // A thousand orders of one customer do not delay the one of another.
        group: order.customer.group(),
        deduplication_id: order.id.to_string(),
    }
}

/// A ping with this text; `id` is different for each.
pub fn ping(body: String, id: String) -> Message {
    let attributes = vec![(EVENT_TYPE, Attribute::Text(PING.to_owned()))];
    Message { body, attributes, group: id.clone(), deduplication_id: id }
}

impl FromMessage for Event {
    fn from_message(notification: &Notification) -> anyhow::Result<Self> {
        // The Python original sends no type.
        match notification.attributes.get(EVENT_TYPE).map_or(ORDER_PLACED, String::as_str) {
            ORDER_PLACED => read_order(notification).map(Self::OrderPlaced),
            PING => Ok(Self::Ping(notification.message.clone())),
            unknown => Err(UnknownType(unknown.to_owned()).into()),
        }
    }
}

fn read_order(notification: &Notification) -> anyhow::Result<Order> {
    let body: OrderPlaced = serde_json::from_str(&notification.message).map_err(unreadable)?;
    let id = match body.id {
        Some(id) => text("id", Some(id))?,
        // Every copy that SNS delivers has the same id, so it identifies the order as well.
        None if notification.topic.is_some() => notification.message_id.parse().context("id")?,
        // The id that SQS gives changes at a redrive: then one order would become two.
        None => bail!("id: is missing in a message that did not come through SNS"),
    };
    Ok(Order {
        id,
        customer: text("customer", body.customer)?,
        amount: text("amount", body.amount)?,
    })
}

/// Parses a value that is sent as a string; the error names the field and does not quote it.
fn text<T>(field: &'static str, value: Option<Value>) -> anyhow::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let value = value.with_context(|| format!("{field}: is missing"))?;
    let text = value.as_str().with_context(|| format!("{field}: should be a string"))?;
    text.parse().context(field)
}

/// Why a text is not an order, and where, without quoting it.
fn unreadable(error: serde_json::Error) -> anyhow::Error {
    let what = match error.classify() {
        Category::Eof => "ends too early",
        Category::Syntax => "is not valid JSON",
        Category::Data | Category::Io => "is not an order",
    };
    let (line, column) = (error.line(), error.column());
    anyhow!("the message {what} at line {line} column {column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(message: &str) -> String {
        let notification = Notification {
            message: message.to_owned(),
            message_id: "0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f".to_owned(),
            topic: Some("orders".to_owned()),
            ..Notification::default()
        };
        match Event::from_message(&notification) {
            Err(reason) => format!("{reason:#} {reason:?}"),
            read => panic!("{message} was read: {read:?}"),
        }
    }

    #[test]
    fn a_reason_quotes_nothing_of_the_message() {
        for message in [
            r#""Ada Lovelace""#,
            r#"{"customer": {"Ada Lovelace": 1}, "amount": "80"}"#,
            r#"{"customer": "Ada Lovelace", "amount": "Ada Lovelace"}"#,
            r#"{"customer": "Ada Lovelace", "amount": ["Ada Lovelace"]}"#,
            r#"{"customer": "Ada Lovelace", "amount": "80", "id": "Ada Lovelace"}"#,
            r#"{"customer": "Ada Lovelace", "amount": "80", "customer": "Ada Lovelace"}"#,
            r#"{"customer": "Ada Lovelace\n", "amount": "80" Ada Lovelace"#,
            "Ada Lovelace",
        ] {
            let reason = reason(message);
            assert!(!reason.contains("Ada"), "{reason}");
        }
    }

    #[test]
    fn a_reason_says_what_is_wrong_and_where() {
        let cut = reason(r#"{"customer": "Ada"#);
        assert!(cut.contains("ends too early at line 1 column 17"), "{cut}");
        let no_total = reason(r#"{"customer": "Ada", "amount": "much"}"#);
        assert!(no_total.contains("amount: A total is a number"), "{no_total}");
        let no_name = reason(r#"{"customer": 7, "amount": "80"}"#);
        assert!(no_name.contains("customer: should be a string"), "{no_name}");
    }

    #[test]
    fn an_order_without_an_id_has_that_of_sns_and_none_of_sqs() {
        let id = "0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f";
        let through_sns = Notification {
            message: r#"{"customer": "Ada", "amount": "80"}"#.to_owned(),
            message_id: id.to_owned(),
            topic: Some("orders".to_owned()),
            ..Notification::default()
        };
        let Ok(Event::OrderPlaced(order)) = Event::from_message(&through_sns) else {
            panic!("a message of the Python original");
        };
        assert_eq!(order.id.to_string(), id);
        let directly = Notification { topic: None, ..through_sns };
        let reason = Event::from_message(&directly).unwrap_err().to_string();
        assert!(reason.starts_with("id: is missing"), "{reason}");
    }

    #[test]
    fn an_event_of_a_newer_producer_is_of_an_unknown_type_and_a_field_of_it_is_ignored() {
        let body = r#"{"id": "0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f", "customer": "Ada",
            "amount": "80", "currency": "EUR"}"#;
        let typed = |name: &str| Notification {
            message: body.to_owned(),
            attributes: [(EVENT_TYPE.to_owned(), name.to_owned())].into(),
            ..Notification::default()
        };
        let unknown = Event::from_message(&typed("order.cancelled")).unwrap_err();
        let UnknownType(name) = unknown.downcast_ref().expect("not poison");
        assert_eq!(name, "order.cancelled");
        let placed = Event::from_message(&typed(ORDER_PLACED));
        assert!(matches!(placed, Ok(Event::OrderPlaced(_))), "{placed:?}");
    }

    #[test]
    fn a_ping_is_known_by_its_type_whatever_the_topic_is_called() {
        let Message { body, attributes, .. } = ping("Hello!".to_owned(), "abc".to_owned());
        let attributes = attributes.into_iter().map(|(name, value)| match value {
            Attribute::Text(value) | Attribute::Number(value) => (name.to_owned(), value),
        });
        let notification = Notification {
            message: body,
            attributes: attributes.collect(),
            ..Notification::default()
        };
        assert_eq!(Event::from_message(&notification).unwrap(), Event::Ping("Hello!".to_owned()));
    }
}
