//! Reports, projected onto their orders.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use orders::{
    keep::EXPIRES_AT,
    report::{Report, State},
};
use outbox::items::{number, text};

use super::{OrdersTable, PlacedOrder, item::report_name};

/// What a stored report contains if its attempt is done.
const DONE: &str = r#""state":"done""#;

impl OrdersTable {
    /// Projects a report onto its order, and returns the order as it is now; `None` if nothing
    /// changed, because the report is a duplicate, or the order is unknown or has expired.
    ///
    /// Each attempt has an attribute of its own, and of two reports of an attempt the one with more
    /// steps stays, unless the other says that the attempt is done. So reports may arrive in any
    /// order, and more than once.
    ///
    /// Whatever is reported was announced; the report says so if nothing else did. An order leaves
    /// the outbox when all services that it needs have reported: then each has its message, and
    /// does not lose it. When all of them are done, the order begins to expire.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable.
    pub async fn project(&self, report: &Report) -> anyhow::Result<Option<PlacedOrder>> {
        let value = HashMap::from([
            ("steps".to_owned(), number(report.steps.len())),
            ("told".to_owned(), text(serde_json::to_string(report)?)),
        ]);
        let is_needed = self.done_when.contains(&report.service);
        let is_the_only_one = is_needed && self.done_when.len() == 1;
        let is_done = is_needed && report.state == State::Done;
        let expires_at = if is_done { self.keep.expires_at() } else { None };
        // With several, whether they all have begun, or are done, is known only after this write.
        let expires_now = expires_at.as_ref().filter(|_| is_the_only_one);
        let set = expires_now.map_or(String::new(), |_| format!(", {EXPIRES_AT} = :expires_at"));
        let remove = if is_the_only_one { remove() } else { String::new() };
        let mut update = self
            .items
            .update(report.order_id)
            .update_expression(format!(
                "SET #report = :report, announced_at = if_not_exists(announced_at, :started){set} \
                 ADD version :one {remove}"
            ))
            .condition_expression(
                "attribute_exists(id) AND \
                 (attribute_not_exists(#report) OR \
                  (#report.steps < :steps AND NOT contains(#report.told, :done)))",
            )
            .expression_attribute_values(":done", text(DONE))
            .expression_attribute_values(":started", number(report.started_at().as_millisecond()))
            .expression_attribute_names("#report", report_name(report))
            .expression_attribute_values(":report", AttributeValue::M(value))
            .expression_attribute_values(":steps", number(report.steps.len()))
            .expression_attribute_values(":one", number(1));
        if let Some(expires_at) = expires_now {
            update = update.expression_attribute_values(":expires_at", number(expires_at));
        }
        let projected = self.changed(update).await.context("projecting a report")?;
        if let Some(placed) = projected.as_ref().filter(|_| is_needed && !is_the_only_one) {
            self.settle(placed, expires_at).await?;
        }
        Ok(projected)
    }

    /// Takes an order out of the outbox, and lets it expire, once the last of several services says
    /// so.
    async fn settle(&self, placed: &PlacedOrder, expires_at: Option<String>) -> anyhow::Result<()> {
        let expires_at = expires_at.filter(|_| placed.is_done());
        if !placed.is_reported() || (placed.due_at.is_none() && expires_at.is_none()) {
            return Ok(());
        }
        let update = self.items.update(placed.order.id);
        let update = match expires_at {
            Some(expires_at) => update
                .update_expression(format!("SET {EXPIRES_AT} = :expires_at {}", remove()))
                .expression_attribute_values(":expires_at", number(expires_at)),
            None => update.update_expression(remove()),
        };
        self.changed(update).await.context("settling an order")?;
        Ok(())
    }
}

/// The clause that takes an order out of the outbox.
fn remove() -> String {
    format!("REMOVE {}", outbox::REMOVE)
}

impl PlacedOrder {
    /// Whether every service that has to be done has begun.
    fn is_reported(&self) -> bool {
        let reported = |name: &String| self.reports.iter().any(|report| report.service == *name);
        self.done_when.iter().all(reported)
    }
}
