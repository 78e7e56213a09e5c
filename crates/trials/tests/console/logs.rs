//! The log lines of all services.

use anyhow::{Context as _, ensure};

use crate::{
    Outcome,
    browser::Browser,
    laptop::{Laptop, until},
};

const LINES: &str = "return [...document.querySelectorAll('#lines li')].map(it => it.innerText)";

const BANNER: &str = "#lines li:has(details)";

async fn lines(browser: &Browser) -> anyhow::Result<Vec<String>> {
    browser.see("#lines li").await?;
    Ok(serde_json::from_value(browser.evaluate(LINES).await?)?)
}

/// Presses Show, and waits for the page with this in its address.
async fn show(browser: &Browser, part: &str) -> Outcome {
    browser.click("form button").await?;
    until("the lines are filtered", async || Ok(browser.path().await?.contains(part))).await
}

pub async fn lines_appear_by_themselves_and_are_filtered_by_service_level_text_and_trace(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/logs").await?;
    browser.evaluate("window.neverLeft = true").await?;
    let id = laptop.order("120").await?;
    for event in ["order stored", "order fulfilled", "coupon granted"] {
        browser.see_part("#lines", event).await?;
    }
    browser.see_part("#lines", &id).await?;
    ensure!(browser.evaluate("return window.neverLeft").await? == true, "the page was reloaded");

    // The banner is one line until somebody wants to see it.
    browser.click(&format!("{BANNER} summary")).await?;
    browser.see_part(&format!("{BANNER} pre"), "\n").await?;

    browser.choose("#service", "promotion").await?;
    show(browser, "service=promotion").await?;
    browser.see_part("#lines", "coupon granted").await?;
    let of_promotion = lines(browser).await?;
    ensure!(of_promotion.iter().all(|it| it.contains(" promotion ")), "{of_promotion:#?}");

    browser.visit("/logs").await?;
    browser.fill_in("#text", &id).await?;
    show(browser, &id).await?;
    browser.see_part("#lines", "order stored").await?;
    let of_order = lines(browser).await?;
    ensure!(of_order.iter().all(|it| it.contains(&id)), "{of_order:#?}");

    let trace = laptop.see(&id).await?["trace_id"].as_str().context("no trace")?.to_owned();
    browser.visit("/logs").await?;
    browser.fill_in("#trace", &trace).await?;
    show(browser, &trace).await?;
    browser.see_part("#lines", "order stored").await?;
    let of_trace = lines(browser).await?;
    ensure!(of_trace.iter().all(|it| it.contains(&id)), "{of_trace:#?}");
    for service in ["publisher", "fulfilment", "promotion"] {
        ensure!(of_trace.iter().any(|it| it.contains(service)), "{service}: {of_trace:#?}");
    }
    browser.click("#lines a").await?;
    ensure!(browser.path().await? == format!("/traces/{trace}"));

    let queue = laptop.sqs.get_queue_url().queue_name("pubsub-test-fulfilment-EventsQueue");
    let url = queue.send().await?.queue_url;
    let poison = laptop.sqs.send_message().set_queue_url(url).message_body("poison");
    poison.send().await?;
    browser.visit("/logs?level=ERROR").await?;
    browser.see_part("#lines", "poison message").await?;
    let errors = browser.all("#lines li:not([data-level=ERROR])").await?;
    ensure!(errors.is_empty(), "there are lines that are no errors");
    Ok(())
}

pub async fn a_paused_page_stays_and_its_lines_are_copied(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/logs?text=order+stored").await?;
    browser.click("#pause").await?;
    let before = laptop.order("20").await?;
    laptop.fulfilled(&before).await?;
    browser.click("#pause").await?;
    browser.see_part("#lines", &before).await?;
    browser.click("#pause").await?;
    let id = laptop.order("20").await?;
    laptop.fulfilled(&id).await?;
    let other = format!("{}/logs?text={id}", laptop.console);
    until("another page shows its line", async || {
        Ok(laptop.http.get(&other).send().await?.text().await?.contains("order fulfilled"))
    })
    .await?;
    ensure!(!browser.text("#lines").await?.contains(&id), "the page goes on");
    browser.click("[data-copy]").await?;
    browser.see_part("#said", "Copied").await?;
    browser.fill_in("#text", "\u{e009}v").await?;
    let pasted = browser.typed("#text").await?;
    ensure!(pasted.contains(&before), "the clipboard has {pasted:?}");
    Ok(())
}
