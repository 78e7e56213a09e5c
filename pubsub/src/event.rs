//! The events of the system: what each says, and how it travels in a message.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::{
    notification::Notification,
    order::{Amount, CustomerName, Order, OrderId},
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
#[derive(Serialize, Deserialize)]
struct OrderPlaced {
    id: Option<OrderId>,
    customer: CustomerName,
    amount: Amount,
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
    let body: OrderPlaced =
        serde_json::from_str(&notification.message).context("the message is not an order")?;
    let id = match body.id {
        Some(id) => id,
        // Every copy of one message has the same id, so this names the order as well.
        None => notification.message_id.parse().context("the order has no id")?,
    };
    Ok(Order { id, customer: body.customer, amount: body.amount })
}
