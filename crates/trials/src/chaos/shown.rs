//! What the orders' pages show, read from the reports that are stored on the orders.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use orders::report::{Report, State};

/// What the pages of some orders show, by order id.
#[derive(Default)]
pub struct Shown {
    /// The orders that are shown as fulfilled.
    pub fulfilled: BTreeSet<String>,
    /// The coupons' codes.
    pub coupons: BTreeMap<String, BTreeSet<String>>,
}

impl Shown {
    /// Adds an order.
    ///
    /// # Errors
    ///
    /// If a report on it cannot be read.
    pub fn add(&mut self, item: &HashMap<String, AttributeValue>) -> anyhow::Result<()> {
        for report in item.values().filter_map(|value| value.as_m().ok()?.get("told")) {
            let json = report.as_s().ok().context("a stored report is not a text")?;
            let report: Report = serde_json::from_str(json).context("reading a stored report")?;
            let id = report.order_id.to_string();
            if report.state == State::Done && report.service == "fulfilment" {
                self.fulfilled.insert(id.clone());
            }
            let codes = report.attachments.into_iter().filter_map(|it| it.code);
            codes.for_each(|code| {
                self.coupons.entry(id.clone()).or_default().insert(code);
            });
        }
        Ok(())
    }
}
