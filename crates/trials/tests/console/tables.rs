//! The items of the tables, and the picture.

use anyhow::ensure;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    Outcome,
    browser::Browser,
    laptop::{Laptop, until},
};

pub async fn items_of_each_table_and_index_are_shown_and_found(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    let id = laptop.order("120").await?;
    laptop.fulfilled(&id).await?;
    browser.visit("/tables").await?;
    browser.see_part("h2", "pubsub-test-publisher-ordersTable").await?;
    browser.fill_in("#key", &id).await?;
    browser.click("form button").await?;
    browser.see_many(".items > li", 1).await?;
    browser.see_part(".items", &id).await?;
    browser.see_part(".items", "Ada").await?;

    browser.click("a[href$='index=outbox']").await?;
    browser.see_part(".hint", "outbox").await?;
    for table in ["promotion-couponsTable", "history-eventsTable"] {
        let coupon = async || {
            let scan = laptop.dynamodb.scan().table_name(format!("pubsub-test-{table}"));
            let items = scan.send().await?.items.unwrap_or_default();
            let has = |it: &AttributeValue| it.as_s().is_ok_and(|text| text.contains(&id));
            Ok(items.iter().any(|item| item.values().any(has)))
        };
        until("the table has an item of the order", coupon).await?;
        browser.click(&format!("nav a[href$='{table}']")).await?;
        browser.see_part("h2", table).await?;
        browser.see(".items > li").await?;
    }
    ensure!(browser.all("nav.tabs a").await?.len() >= 4, "a table is missing");
    Ok(())
}

pub async fn the_picture_of_the_flow_is_shown(laptop: &Laptop, browser: &Browser) -> Outcome {
    browser.visit("/flow").await?;
    let id = laptop.order("120").await?;
    browser.see(&format!("#flow [data-order='{id}'][data-service=fulfilment]")).await?;
    let done = format!("#flow [data-order='{id}'][data-service=fulfilment][data-state=done]");
    browser.see(&done).await.map(drop)
}
