//! Parts of AWS that fail.

use anyhow::ensure;

use crate::{
    Outcome,
    browser::Browser,
    laptop::{Laptop, until},
    looks,
};

pub async fn a_throttled_table_delays_the_coupon_until_the_weather_is_fair(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/weather").await?;
    browser.see("#now[data-fair=true]").await?;
    browser.choose("#of", "pubsub-test-promotion-couponsTable").await?;
    browser.click("#way-throttled").await?;
    browser.fill_in("#seconds", "300").await?;
    browser.click("#weather button").await?;
    browser.see_part("#now[data-fair=false]", "couponsTable is throttled for 300 s").await?;
    let id = laptop.order("120").await?;
    laptop.fulfilled(&id).await?;
    let logs = format!("{}/logs?service=promotion&text=unavailable", laptop.console);
    until("promotion meets the outage", async || {
        Ok(laptop.http.get(&logs).send().await?.text().await?.contains("is unavailable"))
    })
    .await?;
    ensure!(!laptop.see(&id).await?["stations"].to_string().contains("granted"));
    looks::keep_for_workshop(browser, "console-weather", 640).await?;
    browser.click("form[action='/act/fair'] button").await?;
    browser.see("#now[data-fair=true]").await?;
    until("the coupon is granted", async || {
        Ok(laptop.see(&id).await?["stations"].to_string().contains("granted"))
    })
    .await?;
    // Each of the ways that the proxy knows for calls.
    let ways = browser.all("[name=how]").await?;
    ensure!(ways.len() == account::proxy::Way::ALL.len() - 1, "{} ways", ways.len());
    Ok(())
}
