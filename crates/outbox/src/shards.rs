//! How many shards an outbox is spread over: a setting, which may be raised and lowered while
//! processes with either number run.
//!
//! A process stores in the shards of its own setting, and looks into all that any process ever
//! stored in. The table remembers how many those are, in an item of its own: a process writes it
//! before it stores its first item beyond [`DEFAULT`], and the others read it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use anyhow::Context as _;

use crate::{
    items::{Items, changed, number},
    table::parsed,
};

/// How many shards a table has that does not say: as many as before there was a setting.
pub const DEFAULT: u32 = 4;

/// The key of the item that remembers how many shards there are.
const ID: &str = "shards";
const MOST: &str = "most_shards";

/// How many shards an outbox is spread over. A clone is the same.
#[derive(Clone, Debug)]
pub struct Shards {
    own: u32,
    /// As many as this process knows of.
    most: Arc<AtomicU32>,
    is_remembered: Arc<AtomicBool>,
    /// The table that remembers; without one, there are never more than `own`.
    table: Option<Items>,
}

impl From<u32> for Shards {
    /// The same number in every process, for ever.
    fn from(own: u32) -> Self {
        let most = Arc::new(own.into());
        Self { own, most, is_remembered: Arc::new(true.into()), table: None }
    }
}

impl Shards {
    /// Those of the table of `items`, of which this process stores in the first `own`.
    pub fn of(items: Items, own: u32) -> Self {
        let most = Arc::new(own.max(DEFAULT).into());
        let is_remembered = Arc::new((own <= DEFAULT).into());
        Self { own, most, is_remembered, table: Some(items) }
    }

    /// Over how many this process spreads what it stores. [`Shards::remember`] comes before that.
    pub fn own(&self) -> u32 {
        self.own
    }

    /// How many there are, as far as this process knows.
    pub fn known(&self) -> u32 {
        self.most.load(Ordering::Relaxed)
    }

    /// How many there are now: what was stored before this call is in one of them.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable.
    pub async fn look(&self) -> anyhow::Result<u32> {
        if let Some(items) = &self.table {
            let item = items.get(ID).await.context("reading the number of shards")?;
            if let Some(item) = item {
                self.most.fetch_max(parsed(&item, MOST)?, Ordering::Relaxed);
            }
        }
        Ok(self.known())
    }

    /// Lets all processes look into the shards of this one. Only the first call takes a request.
    ///
    /// # Errors
    ///
    /// If DynamoDB is unavailable. Then nothing may be stored.
    pub async fn remember(&self) -> anyhow::Result<()> {
        let Some(items) = self.table.as_ref().filter(|_| !self.is_remembered()) else {
            return Ok(());
        };
        let update = items
            .update(ID)
            .update_expression(format!("SET {MOST} = :own"))
            .condition_expression(format!("attribute_not_exists({MOST}) OR {MOST} < :own"))
            .expression_attribute_values(":own", number(self.own));
        changed(update).await.context("noting the number of shards")?;
        self.is_remembered.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn is_remembered(&self) -> bool {
        self.is_remembered.load(Ordering::Relaxed)
    }
}
