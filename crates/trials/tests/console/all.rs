//! Every page: its looks, its accessibility, its use by keyboard, and under load.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::{
    Outcome,
    browser::Browser,
    laptop::{Laptop, until},
    looks,
};

/// In CSS pixels: a phone's, a tablet's and a laptop's.
pub const WIDTHS: [u32; 3] = [390, 1024, 1440];
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const PAGES: [&str; 8] =
    ["services", "traffic", "weather", "messages", "traces", "logs", "tables", "flow"];
/// How long a page may take while the machine is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// What has the focus: its name for a screen reader.
const FOCUSED: &str = "const it = document.activeElement;
    return it.ariaLabel || it.labels?.[0]?.innerText || it.innerText || it.id || it.tagName";

pub async fn every_page_looks_right_and_is_accessible(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    for amount in ["120", "42.50", "80"] {
        let id = laptop.order(amount).await?;
        laptop.fulfilled(&id).await?;
    }
    let poison = "pubsub-test-fulfilment-EventsQueue";
    let url = laptop.sqs.get_queue_url().queue_name(poison).send().await?.queue_url;
    let send = laptop.sqs.send_message().set_queue_url(url);
    send.message_body(r#"{"customer": "Ada", "amount": 99.5}"#).send().await?;
    let letters = "pubsub-test-fulfilment-DeadLetterQueue";
    until("there is a dead letter", async || Ok(laptop.depth(letters).await?.0 > 0)).await?;
    let of_letters = format!("messages/{letters}");
    for page in PAGES.iter().copied().chain([of_letters.as_str(), "nothing"]) {
        browser.visit(&format!("/{page}")).await?;
        browser.see("h1").await?;
        browser.click("#pause").await?;
        let name = page.split('/').next_back().unwrap_or_default();
        looks::check_at(browser, &format!("console-{name}"), &WIDTHS).await?;
    }
    Ok(())
}

/// Presses the tabulator until the focus is on something with this name.
async fn tab_to(browser: &Browser, name: &str) -> Outcome {
    for _ in 0..80 {
        browser.press(TAB).await?;
        if browser.evaluate(FOCUSED).await? == name {
            return Ok(());
        }
    }
    anyhow::bail!("the tabulator does not reach {name:?}")
}

pub async fn the_keyboard_alone_reaches_and_presses_everything(
    _: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/services").await?;
    browser.press(TAB).await?;
    ensure!(browser.evaluate(FOCUSED).await? == "Skip to the content");
    browser.press(ENTER).await?;
    tab_to(browser, "Stop history").await?;
    browser.press(ENTER).await?;
    browser.see("#task-history[data-state=stopped]").await?;
    // The button is gone, and the focus is on what took its place.
    until("Start has the focus", async || Ok(browser.evaluate(FOCUSED).await? == "Start history"))
        .await?;
    browser.press(ENTER).await?;
    browser.see("#task-history[data-state=running]").await?;
    tab_to(browser, "Processes of promotion").await?;
    browser.press("\u{e013}").await?;
    browser.press(ENTER).await?;
    browser.see_part("#said", "promotion is scaled to 2").await?;
    browser.see("#task-promotion-2").await?;
    browser.press("\u{e015}").await?;
    browser.press(ENTER).await?;
    browser.see_many("#task-promotion-2", 0).await?;

    for page in PAGES {
        browser.visit(&format!("/{page}")).await?;
        let script = "return [...document.querySelectorAll('main :is(a, button, input, select, \
                      summary, [tabindex]):not([type=hidden])')].length";
        let all = browser.evaluate(script).await?.as_u64().unwrap_or_default().min(60);
        browser.click("#pause").await?;
        browser.evaluate("document.querySelector('#main').focus()").await?;
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..all {
            browser.press(TAB).await?;
            let name = browser.evaluate(FOCUSED).await?;
            let name = name.as_str().unwrap_or_default().to_owned();
            ensure!(!name.is_empty(), "something on {page} has no name");
            names.insert(name);
        }
        ensure!(!names.is_empty() || all == 0, "nothing on {page} gets the focus");
    }
    Ok(())
}

pub async fn pages_are_quick_while_many_orders_run(laptop: &Laptop, browser: &Browser) -> Outcome {
    browser.visit("/traffic").await?;
    browser.evaluate("document.querySelector('#rate').value = 1000").await?;
    browser.click("#rate-form button").await?;
    browser.see_text("#said", "1000 orders a second.").await?;
    let accepted = async || Ok(browser.text("[data-accepted]").await?.parse::<u64>()? > 500);
    until("they run", accepted).await?;
    let mut slowest = Duration::ZERO;
    // The picture is the publisher's, which has its hands full.
    for page in PAGES.into_iter().filter(|it| *it != "flow") {
        let began = Instant::now();
        let answer = laptop.http.get(format!("{}/{page}", laptop.console)).send().await?;
        let text = answer.error_for_status()?.text().await?;
        slowest = slowest.max(began.elapsed());
        ensure!(text.len() < 300_000, "{page} has {} bytes", text.len());
    }
    browser.evaluate("document.querySelector('#rate').value = 0").await?;
    browser.click("#rate-form button").await?;
    browser.see_text("#sent b", "0").await?;
    println!("the slowest page took {slowest:?}");
    ensure!(slowest < PATIENCE, "a page took {slowest:?}");
    Ok(())
}
