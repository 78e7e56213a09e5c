//! The list of prices, and what was counted.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;

use crate::scaling::measured::Measured;

/// Both, with the source of each.
const FILE: &str = include_str!("../../prices.json");

/// The prices of a region at a date, and what was counted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The date.
    pub as_of: String,
    /// The region.
    pub region: String,
    /// The prices.
    pub prices: Vec<Price>,
    /// What was counted, or is estimated.
    pub counts: Vec<Count>,
    /// Quotas of an account, as they are if nobody asks for more.
    pub limits: Vec<Count>,
}

/// A price.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Its name here.
    pub name: String,
    /// US dollars.
    pub usd: f64,
    /// What it is the price of.
    pub of: String,
    /// Where it is published.
    pub source: String,
}

/// A number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Its name here.
    pub name: String,
    /// The number.
    pub value: f64,
    /// What it counts.
    pub of: String,
    /// Where it comes from.
    pub source: String,
}

/// Prices and counts by their names.
#[derive(Clone, Debug)]
pub struct Numbers(BTreeMap<String, f64>);

impl List {
    /// The list in the repository.
    ///
    /// # Errors
    ///
    /// If it, or what was measured, cannot be read.
    pub fn read() -> anyhow::Result<Self> {
        let mut list: Self = serde_json::from_str(FILE).context("crates/trials/prices.json")?;
        let measured = Measured::read()?;
        list.counts.push(time("publisher_ms", "publisher for an order", measured.publisher_micros));
        list.counts.push(time("worker_ms", "worker for a message", measured.fulfilment_micros));
        Ok(list)
    }

    /// All numbers in it by name.
    pub fn numbers(&self) -> Numbers {
        let prices = self.prices.iter().map(|it| (it.name.clone(), it.usd));
        let counts = self.counts.iter().chain(&self.limits);
        Numbers(prices.chain(counts.map(|it| (it.name.clone(), it.value))).collect())
    }
}

/// The time of a task that follows from what was measured.
fn time(name: &str, of: &str, micros: f64) -> Count {
    let milliseconds = Measured::seconds(micros) * 1e3;
    Count {
        name: name.to_owned(),
        value: (milliseconds * 1e3).round() / 1e3,
        of: format!("ms of a task of the {of}, 8 times what was measured"),
        source: "docs/scaling.md#the-targets".to_owned(),
    }
}

impl Numbers {
    /// The number called `name`.
    ///
    /// # Panics
    ///
    /// If the list has none.
    pub fn get(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("prices.json has no {name}"))
    }
}
