//! The events of the system: what each says, and how it travels in a message.

use std::str::FromStr;

use anyhow::{Context as _, anyhow};
use serde::Deserialize;
use serde_json::{Value, error::Category};

use crate::{
    notification::Notification,
    order::Order,
    subscribe::Failure,
    topic::{Announcement, Attribute},
};

/// The message attribute that names the kind of event.
pub const EVENT_TYPE: &str = "event_type";
/// The message attribute that the promotion subscription filters on.
pub const AMOUNT: &str = "amount";
/// The value of [`EVENT_TYPE`] on an accepted order.
pub const ORDER_PLACED: &str = "order.placed";

/// The topic of accepted orders, as the publisher's manifest names it.
pub const ORDERS_TOPIC: &str = "ordersTopic";
/// The topic that answers whether messages arrive at all.
pub const PING_TOPIC: &str = "ping";

/// What a subscriber may receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An order was accepted.
    OrderPlaced(Order),
    /// Somebody wants to see a message arrive.
    Ping(String),
}

/// The body of an `order.placed` message.
///
/// A superset of what the Python original sends (`customer` and a textual `amount`), so each side
/// reads the other's messages and a team can move one service at a time.
///
/// The values are read one by one, because serde's own errors quote what they could not read, and
/// reasons are logged.
#[derive(Deserialize)]
struct OrderPlaced {
    id: Option<Value>,
    customer: Option<Value>,
    amount: Option<Value>,
}

/// The message that announces an accepted order.
pub fn order_placed(order: &Order) -> Announcement {
    Announcement {
        message: serde_json::to_string(order).expect("an order has only text in it"),
        attributes: vec![
            (EVENT_TYPE, Attribute::Text(ORDER_PLACED.to_owned())),
            (AMOUNT, Attribute::Number(order.amount.to_string())),
        ],
        // One customer's thousand orders do not hold up another's one.
        group: order.customer.group(),
        deduplication_id: order.id.to_string(),
    }
}

/// A message that shows whether messages arrive; `name` tells it from every other.
pub fn ping(message: String, name: String) -> Announcement {
    Announcement { message, attributes: Vec::new(), group: name.clone(), deduplication_id: name }
}

impl Event {
    /// Reads the event in a notification.
    ///
    /// # Errors
    ///
    /// [`Failure::Poison`] if it cannot be read: no later try would read it either.
    pub fn read(notification: &Notification) -> Result<Self, Failure> {
        if notification.topic.as_deref().is_some_and(is_ping) {
            return Ok(Self::Ping(notification.message.clone()));
        }
        read_order(notification).map(Self::OrderPlaced).map_err(Failure::Poison)
    }
}

/// Copilot calls a topic `<application>-<environment>-<service>-<name in the manifest>`.
fn is_ping(topic: &str) -> bool {
    topic.rsplit('-').next() == Some(PING_TOPIC)
}

fn read_order(notification: &Notification) -> anyhow::Result<Order> {
    let kind = notification.attributes.get(EVENT_TYPE).map_or(ORDER_PLACED, String::as_str);
    anyhow::ensure!(kind == ORDER_PLACED, "the event type {kind:?} is not one this service reads");
    let body: OrderPlaced = serde_json::from_str(&notification.message).map_err(unreadable)?;
    let id = match body.id {
        Some(id) => text("id", Some(id))?,
        // Every copy of one message has the same id, so this names the order as well.
        None => notification.message_id.parse().context("the order has no id")?,
    };
    Ok(Order {
        id,
        customer: text("customer", body.customer)?,
        amount: text("amount", body.amount)?,
    })
}

/// Reads a value that travels as text; the error names the field and quotes nothing.
fn text<T>(field: &'static str, value: Option<Value>) -> anyhow::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let value = value.with_context(|| format!("{field}: is missing"))?;
    let text = value.as_str().with_context(|| format!("{field}: should be a text"))?;
    text.parse().context(field)
}

/// What is wrong with a text that is no JSON object, and where.
fn unreadable(error: serde_json::Error) -> anyhow::Error {
    let what = match error.classify() {
        Category::Eof => "ends too early",
        Category::Syntax => "is no JSON",
        Category::Data | Category::Io => "is no order",
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
            ..Notification::default()
        };
        match Event::read(&notification) {
            Err(Failure::Poison(reason)) => format!("{reason:#} {reason:?}"),
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
        assert!(no_name.contains("customer: should be a text"), "{no_name}");
    }
}
