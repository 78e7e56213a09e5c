//! Payments: what a payment provider says of an order, by a webhook.
//!
//! The publisher announces webhooks of all sources as they are. These are the two types of one
//! source that it puts on an order.

use std::fmt;

use jiff::Timestamp;
use pubsub::{
    notification::Notification,
    subscribe::{FromMessage, Json, UnknownType},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    event::EVENT_TYPE,
    order::{Amount, OrderId},
    report::Report,
};

#[cfg(test)]
mod tests;

/// The topic of webhooks, as the publisher's manifest names it.
pub const WEBHOOKS_TOPIC: &str = "webhooksTopic";
/// The message attribute that holds the source of a webhook.
pub const SOURCE: &str = "source";
/// The message attribute that holds the source's id of an event.
pub const WEBHOOK_ID: &str = "webhook_id";
/// The source of payments.
pub const PAYMENTS: &str = "payments";
/// The type of the event of a payment that came in.
pub const PAYMENT_RECEIVED: &str = "payment.received";
/// The type of the event of a payment that failed. The same payment may still come in.
pub const PAYMENT_FAILED: &str = "payment.failed";

/// An event of a payment: the body of the webhook, as the specification recommends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentEvent {
    /// What became of the payment.
    #[serde(rename = "type")]
    pub outcome: Outcome,
    /// When that was, by the clock of the provider: RFC 3339.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub timestamp: Timestamp,
    /// The payment.
    pub data: Payment,
}

/// What became of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// It came in.
    #[serde(rename = "payment.received")]
    Received,
    /// It failed.
    #[serde(rename = "payment.failed")]
    Failed,
}

/// A payment for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Payment {
    /// The provider's id of the payment.
    pub payment_id: PaymentId,
    /// The order.
    pub order_id: OrderId,
    /// How much was paid, or was to be paid: a string, and exact.
    #[schemars(with = "String", extend("pattern" = r"^[0-9]{1,9}(\.[0-9]{1,2})?$"))]
    pub amount: Amount,
}

/// The id of a payment: 1 to 64 letters, digits, hyphens and underscores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, extend("pattern" = "^[A-Za-z0-9_-]{1,64}$"))]
pub struct PaymentId(String);

/// Why a text is not a [`PaymentId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("A payment id has 1 to 64 letters, digits, hyphens and underscores.")]
pub struct InvalidPaymentId;

impl TryFrom<String> for PaymentId {
    type Error = InvalidPaymentId;

    fn try_from(text: String) -> Result<Self, InvalidPaymentId> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_one = (1..=64).contains(&text.len()) && text.bytes().all(fits);
        is_one.then_some(Self(text)).ok_or(InvalidPaymentId)
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Received => "received",
            Self::Failed => "failed",
        })
    }
}

/// News of an order, from a worker or from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// What a worker did with it.
    Report(Report),
    /// What became of a payment for it.
    Payment(PaymentEvent),
}

impl FromMessage for News {
    fn from_message(notification: &Notification) -> anyhow::Result<Self> {
        let attribute = |name| notification.attributes.get(name).map(String::as_str);
        match (attribute(SOURCE), attribute(EVENT_TYPE).unwrap_or_default()) {
            (None, _) => Report::from_message(notification).map(Self::Report),
            (Some(PAYMENTS), PAYMENT_RECEIVED | PAYMENT_FAILED) => {
                let Json(event) = Json::from_message(notification)?;
                Ok(Self::Payment(event))
            }
            (Some(source), unknown) => Err(UnknownType(format!("{unknown} of {source}")).into()),
        }
    }
}
