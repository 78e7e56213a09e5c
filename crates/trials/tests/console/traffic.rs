//! Orders and messages that the console sends.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{
    Outcome,
    browser::Browser,
    laptop::{Laptop, until},
};

const ARROW_RIGHT: &str = "\u{e014}";
const LETTERS: &str = "pubsub-test-fulfilment-DeadLetterQueue";
const HOME: &str = "\u{e011}";

/// Presses a button, and returns the order that it says it sent.
async fn sent(laptop: &Laptop, browser: &Browser, action: &str) -> anyhow::Result<String> {
    browser.click(&format!("form[action='/act/{action}'] button")).await?;
    browser.see_part("#said", "Order").await?;
    let said = browser.text("#said").await?;
    let id = said.split(' ').nth(1).context("no id")?.to_owned();
    laptop.fulfilled(&id).await?;
    Ok(id)
}

fn stations(order: &Value) -> String {
    order["stations"].to_string()
}

pub async fn orders_below_and_above_80_a_duplicate_and_an_unknown_type_have_their_effects(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/traffic").await?;
    let below = sent(laptop, browser, "below").await?;
    ensure!(!stations(&laptop.see(&below).await?).contains("promotion"));
    let above = sent(laptop, browser, "above").await?;
    let granted = async || Ok(stations(&laptop.see(&above).await?).contains("granted"));
    until("the order of 80 has a coupon", granted).await?;

    let twice = sent(laptop, browser, "duplicate").await?;
    let events = async || {
        let page = laptop.http.get(format!("{}/orders/{twice}/history", laptop.page));
        let page = page.header("accept", "application/json").send().await?.text().await?;
        Ok(page.matches("order.placed").count() == 2)
    };
    until("its event was sent twice", events).await?;

    let letters = laptop.depth(LETTERS).await?;
    browser.click("form[action='/act/unknown'] button").await?;
    browser.see_part("#said", "was sent").await?;
    browser.visit("/logs?service=fulfilment&text=teleported").await?;
    browser.see("#lines li").await?;
    ensure!(laptop.depth(LETTERS).await? == letters, "it is a dead letter");
    Ok(())
}

pub async fn a_burst_is_stored_and_a_rate_goes_on_until_it_is_set_to_0(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/traffic").await?;
    let accepted = async || {
        let count = browser.text("[data-accepted]").await?;
        Ok::<u64, anyhow::Error>(count.parse()?)
    };
    let before = accepted().await?;
    browser.fill_in("#burst", "25").await?;
    browser.click("form[action='/act/burst'] button").await?;
    until("25 more are accepted", async || Ok(accepted().await? == before + 25)).await?;
    let newest = laptop.orders().await?;
    ensure!(newest.len() == 20, "the list shows {} orders", newest.len());

    // The slider by keyboard: two steps of five.
    browser.evaluate("document.querySelector('#rate').focus()").await?;
    browser.press(HOME).await?;
    browser.press(ARROW_RIGHT).await?;
    browser.press(ARROW_RIGHT).await?;
    browser.see_text("output", "10").await?;
    browser.click("#rate-form button").await?;
    browser.see_text("#said", "10 orders a second.").await?;
    browser.see_text("#sent b", "10").await?;
    until("they are accepted", async || Ok(accepted().await? > before + 30)).await?;
    browser.evaluate("document.querySelector('#rate').focus()").await?;
    browser.press(HOME).await?;
    browser.click("#rate-form button").await?;
    browser.see_text("#said", "0 orders a second.").await?;
    browser.see_text("#sent b", "0").await?;
    let newest = laptop.orders().await?;
    for order in &newest {
        laptop.fulfilled(order["id"].as_str().context("no id")?).await?;
    }
    ensure!(laptop.orders().await?[0]["id"] == newest[0]["id"], "there are still orders");
    Ok(())
}
