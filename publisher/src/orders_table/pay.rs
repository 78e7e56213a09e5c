//! Payments, on their orders.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use orders::payment::{Outcome, PaymentEvent};
use outbox::items::{number, text};

use super::{OrdersTable, PlacedOrder, item::PAYMENT};

impl OrdersTable {
    /// Puts what became of a payment on its order, and returns the order as it is now; `None` if
    /// nothing changed, because this or something later is there, or there is no such order.
    ///
    /// Each payment has an attribute of its own. What came in stays; of two failures the later one
    /// does. So events may arrive in any order, and more than once.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable.
    pub async fn pay(&self, event: &PaymentEvent) -> anyhow::Result<Option<PlacedOrder>> {
        let value = HashMap::from([
            ("outcome".to_owned(), text(event.outcome)),
            ("occurred_at".to_owned(), number(event.timestamp.as_millisecond())),
            ("event".to_owned(), text(serde_json::to_string(event)?)),
        ]);
        let is_news = match event.outcome {
            Outcome::Received => "#payment.outcome = :failed",
            Outcome::Failed => "#payment.outcome = :failed AND #payment.occurred_at < :at",
        };
        let mut update = self
            .items
            .update(event.data.order_id)
            .update_expression("SET #payment = :payment ADD version :one")
            .condition_expression(format!(
                "attribute_exists(id) AND (attribute_not_exists(#payment) OR ({is_news}))"
            ))
            .expression_attribute_names("#payment", format!("{PAYMENT}{}", event.data.payment_id))
            .expression_attribute_values(":failed", text(Outcome::Failed))
            .expression_attribute_values(":one", number(1));
        if event.outcome == Outcome::Failed {
            update = update.expression_attribute_values(":at", value["occurred_at"].clone());
        }
        let update = update.expression_attribute_values(":payment", AttributeValue::M(value));
        self.changed(update).await.context("putting a payment on its order")
    }
}
