//! What is stored for the orders, read directly from the tables.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::ensure;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use tokio::time::sleep;

use super::{load::Accepted, rig::Rig};

const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Waits until all of `accepted` are stored and announced, at most for `patience`; returns how many
/// are not.
pub async fn unannounced(
    rig: &Rig,
    accepted: &[Accepted],
    patience: Duration,
) -> anyhow::Result<usize> {
    let deadline = Instant::now() + patience;
    let unannounced = loop {
        // An announced order is in fulfilment's queue, or fulfilled.
        let delivered = rig.fulfilment_depth().await? + rig.fulfilled_count();
        let unannounced = accepted.len().saturating_sub(delivered);
        if unannounced == 0 || Instant::now() > deadline {
            break unannounced;
        }
        sleep(LOOK_INTERVAL).await;
    };
    let stored = ids(rig, "attribute_exists(id)").await?;
    let missing = accepted.iter().filter(|it| !stored.contains(&it.id)).count();
    Ok(missing.max(unannounced))
}

/// Waits until the announcements of all of `accepted` are noted, at most for `patience`.
pub async fn noted(rig: &Rig, accepted: &[Accepted], patience: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + patience;
    while ids(rig, "attribute_exists(announced_at)").await?.len() < accepted.len() {
        ensure!(Instant::now() < deadline, "not all announcements were noted in {patience:?}");
        sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

/// The ids of the orders that match `filter`.
async fn ids(rig: &Rig, filter: &str) -> anyhow::Result<HashSet<String>> {
    let mut items = rig
        .dynamodb()
        .scan()
        .table_name(rig.orders_table()?)
        .filter_expression(filter)
        .projection_expression("id")
        .into_paginator()
        .items()
        .send();
    let mut ids = HashSet::new();
    while let Some(mut item) = items.try_next().await? {
        if let Some(AttributeValue::S(id)) = item.remove("id") {
            ids.insert(id);
        }
    }
    Ok(ids)
}

/// The number of reports on the orders: one for each attempt of each service.
pub async fn reports(rig: &Rig) -> anyhow::Result<usize> {
    let scan = rig.dynamodb().scan().table_name(rig.orders_table()?);
    let mut items = scan.into_paginator().items().send();
    let mut count = 0;
    while let Some(item) = items.try_next().await? {
        count += item.keys().filter(|name| name.starts_with("report ")).count();
    }
    Ok(count)
}

/// The number of coupons.
pub async fn coupons(rig: &Rig) -> anyhow::Result<usize> {
    count(rig, rig.coupons_table()?).await
}

/// The number of events in the history; 0 without one.
pub async fn events(rig: &Rig) -> anyhow::Result<usize> {
    match rig.events_table() {
        Some(table) => count(rig, table).await,
        None => Ok(0),
    }
}

/// The number of items in a table.
pub async fn count(rig: &Rig, table: &str) -> anyhow::Result<usize> {
    let scan = rig.dynamodb().scan().table_name(table);
    let mut pages = scan.select(Select::Count).into_paginator().send();
    let mut count = 0;
    while let Some(page) = pages.try_next().await? {
        count += usize::try_from(page.count)?;
    }
    Ok(count)
}
