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
    browser.see("#now[data-fair=false]").await?;
    browser.see_part("#parts", "couponsTable is throttled").await?;
    let id = laptop.order("120").await?;
    laptop.fulfilled(&id).await?;
    let logs = format!("{}/logs?service=promotion&text=unavailable", laptop.console);
    until("promotion meets the outage", async || {
        Ok(laptop.http.get(&logs).send().await?.text().await?.contains("is unavailable"))
    })
    .await?;
    ensure!(!laptop.see(&id).await?["stations"].to_string().contains("granted"));
    browser.evaluate("scrollTo(0, 0)").await?;
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

/// What fails now, as the page lists it.
const PARTS: &str = "return [...document.querySelectorAll('#parts li b')].map(it => it.innerText)";

pub async fn several_parts_fail_at_once_and_each_is_ended_by_its_own_button(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/weather").await?;
    for (of, way) in [("SNS", "slow"), ("pubsub-test-promotion-couponsTable", "denied")] {
        browser.choose("#of", of).await?;
        browser.click(&format!("#way-{way}")).await?;
        browser.click("#weather button").await?;
        browser.see_part("#parts", &format!("{of} is {way}")).await?;
    }
    let parts = async |expected: &[&str]| {
        let expected = serde_json::json!(expected);
        until("the parts are listed", async || Ok(browser.evaluate(PARTS).await? == expected)).await
    };
    parts(&["pubsub-test-promotion-couponsTable", "SNS"]).await?;
    let id = laptop.order("120").await?;
    laptop.fulfilled(&id).await?;
    browser.click("#part-SNS button").await?;
    browser.see_text("#said", "AWS: fair weather again for SNS.").await?;
    parts(&["pubsub-test-promotion-couponsTable"]).await?;
    ensure!(!laptop.see(&id).await?["stations"].to_string().contains("granted"));
    browser.click("#part-pubsub-test-promotion-couponsTable button").await?;
    browser.see("#now[data-fair=true]").await?;
    let granted = async || Ok(laptop.see(&id).await?["stations"].to_string().contains("granted"));
    until("the coupon is granted", granted).await?;
    let (status, said) = laptop.act("end", &[("of", "sns")]).await?;
    ensure!(status == 422 && said == "there is no weather of \"sns\" to end", "{said}");
    let unknown = [("of", "couponTable"), ("how", "slow"), ("seconds", "60")];
    let (status, said) = laptop.act("weather", &unknown).await?;
    ensure!(status == 422 && said.contains("nothing is called \"couponTable\""), "{said}");
    Ok(())
}

pub async fn messages_come_twice_until_that_is_ended(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/weather").await?;
    browser.fill_in("#percent", "100").await?;
    browser.click("#twice button").await?;
    browser.see_part("#parts", "deliveries are made twice in 100 % of cases").await?;
    let id = laptop.order("20").await?;
    let logs = format!("{}/logs?service=fulfilment&text={id}", laptop.console);
    let twice = async || {
        let lines = laptop.http.get(&logs).send().await?.text().await?;
        Ok(lines.matches("order fulfilled").count() == 2)
    };
    until("the order is handled twice", twice).await?;
    browser.click("#part-deliveries button").await?;
    browser.see("#now[data-fair=true]").await.map(drop)
}
