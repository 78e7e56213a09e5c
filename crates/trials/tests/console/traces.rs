//! What an order did, over all services.

use anyhow::{Context as _, ensure};

use crate::{Outcome, browser::Browser, laptop::Laptop, looks};

pub async fn an_order_is_a_waterfall_over_services_calls_and_messages(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    let id = laptop.order("120").await?;
    laptop.fulfilled(&id).await?;
    browser.visit("/traces").await?;
    browser.see_part("table", &id).await?;
    browser.fill_in("#find", &id).await?;
    browser.click("form button").await?;
    browser.see_many("tbody tr", 1).await?;
    browser.click("tbody a").await?;
    let trace = laptop.see(&id).await?["trace_id"].as_str().context("no trace")?.to_owned();
    ensure!(browser.path().await? == format!("/traces/{trace}"));
    // The order's page leads there.
    let page =
        laptop.http.get(format!("{}/orders/{id}", laptop.page)).header("accept", "text/html");
    let page = page.send().await?.text().await?;
    ensure!(page.contains(&format!("href=\"{}/traces/{trace}\"", laptop.console)), "{page}");
    for span in [
        "POST /orders",
        "announce",
        "send pubsub-test-publisher-ordersTopic",
        "process pubsub-test-fulfilment-EventsQueue",
        "process pubsub-test-promotion-EventsQueue",
        "process pubsub-test-publisher-statusQueue",
        "DynamoDB.PutItem",
        "SNS.Publish",
        "message ",
    ] {
        browser.see_part(".waterfall", span).await?;
    }
    for who in ["publisher", "fulfilment", "promotion", "pubsub-test-history-EventsQueue"] {
        browser.see_part(".waterfall", who).await?;
    }
    // A child begins where its parent does, or later.
    let script = "return [...document.querySelectorAll('.waterfall .span rect')]
        .map(it => Number(it.getAttribute('x')))";
    let begins: Vec<f64> = serde_json::from_value(browser.evaluate(script).await?)?;
    ensure!(begins.len() > 6 && begins[0] <= begins[1], "{begins:?}");
    looks::check_at(browser, "console-trace", &super::all::WIDTHS).await?;
    looks::keep_for_workshop(browser, "console-trace", 760).await?;
    browser.click("dl a").await?;
    browser.see_part("#lines", "order fulfilled").await?;
    // The page of an order that is too old, or none, says so.
    browser.visit("/traces/0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f").await?;
    browser.see_part("main", "Nothing is known").await
}
