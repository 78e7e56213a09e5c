//! Processes that are killed, stopped, frozen and scaled.

use std::fs;

use anyhow::{Context as _, ensure};

use crate::{
    Outcome,
    browser::Browser,
    laptop::{Laptop, until},
    looks,
};

const QUEUE: &str = "pubsub-test-fulfilment-EventsQueue";

fn button(task: &str, action: &str) -> String {
    format!("#task-{task} [data-key={action}]")
}

fn state(task: &str, state: &str) -> String {
    format!("#task-{task}[data-state={state}]")
}

/// The process id that the page shows.
async fn pid(browser: &Browser, task: &str) -> anyhow::Result<i32> {
    let text = browser.text(&format!("#task-{task} dd")).await?;
    text.parse().with_context(|| format!("{text:?} is no process id"))
}

/// The state that Linux reports of a process: `T` if it is frozen; none without such a process.
fn letter(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

pub async fn a_killed_service_is_restarted_and_the_page_shows_it_without_a_reload(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/services").await?;
    browser.evaluate("window.neverLeft = true").await?;
    browser.see(&state("promotion", "running")).await?;
    let before = pid(browser, "promotion").await?;
    browser.click(&button("promotion", "kill")).await?;
    browser.see_text("#said", "promotion was killed.").await?;
    browser.see_text("#task-promotion [data-restarts]", "1").await?;
    browser.see(&state("promotion", "running")).await?;
    let after = pid(browser, "promotion").await?;
    ensure!(before != after && letter(before).is_none() && letter(after).is_some());
    ensure!(browser.evaluate("return window.neverLeft").await? == true, "the page was reloaded");
    browser.see_part("#task-promotion .lines", "promotion starts").await?;
    let id = laptop.order("120").await?;
    until("the coupon is granted", async || {
        Ok(laptop.see(&id).await?.to_string().contains("granted"))
    })
    .await
}

pub async fn a_frozen_service_does_nothing_until_it_goes_on(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/services").await?;
    let frozen = pid(browser, "fulfilment").await?;
    browser.click(&button("fulfilment", "freeze")).await?;
    browser.see(&state("fulfilment", "frozen")).await?;
    looks::keep_for_workshop(browser, "console-services", 560).await?;
    ensure!(letter(frozen) == Some('T'), "it is {:?}", letter(frozen));
    let id = laptop.order("20").await?;
    // Its long poll may have taken the message; it stays where it is.
    until("the message is in the queue", async || {
        let (visible, in_flight) = laptop.depth(QUEUE).await?;
        Ok(visible + in_flight == 1)
    })
    .await?;
    ensure!(laptop.see(&id).await?["is_done"] == false);
    browser.click(&button("fulfilment", "continue")).await?;
    browser.see(&state("fulfilment", "running")).await?;
    ensure!(
        letter(frozen).is_some_and(|it| it != 'T') && pid(browser, "fulfilment").await? == frozen
    );
    laptop.fulfilled(&id).await
}

pub async fn a_stopped_service_stays_stopped_until_it_is_started(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/services").await?;
    let stopped = pid(browser, "fulfilment").await?;
    browser.click(&button("fulfilment", "stop")).await?;
    browser.see(&state("fulfilment", "stopped")).await?;
    ensure!(letter(stopped).is_none(), "process {stopped} still runs");
    let id = laptop.order("20").await?;
    until("the message waits", async || Ok(laptop.depth(QUEUE).await? == (1, 0))).await?;
    browser.see(&state("fulfilment", "stopped")).await?;
    browser.click(&button("fulfilment", "start")).await?;
    browser.see(&state("fulfilment", "running")).await?;
    laptop.fulfilled(&id).await
}

pub async fn a_worker_is_scaled_to_three_and_back(laptop: &Laptop, browser: &Browser) -> Outcome {
    browser.visit("/services").await?;
    browser.fill_in("#count-fulfilment", "3").await?;
    browser.click("#scale-fulfilment button").await?;
    browser.see_text("#said", "fulfilment is scaled to 3.").await?;
    browser.see_many("[id^=task-fulfilment][data-state=running]", 3).await?;
    let mut orders = Vec::new();
    for _ in 0..30 {
        orders.push(laptop.order("20").await?);
    }
    for id in &orders {
        laptop.fulfilled(id).await?;
    }
    // Each of them has had some.
    for task in ["fulfilment", "fulfilment-2", "fulfilment-3"] {
        browser.see_part(&format!("#task-{task} .lines"), "order fulfilled").await?;
    }
    browser.fill_in("#count-fulfilment", "1").await?;
    browser.click("#scale-fulfilment button").await?;
    browser.see_many("[id^=task-fulfilment]", 1).await?;
    let id = laptop.order("20").await?;
    laptop.fulfilled(&id).await?;
    for (service, count, why) in [
        ("fulfilment", "11", "at most 10 processes"),
        ("publisher", "2", "publisher has one port, so it is one process"),
        ("nobody", "2", "there is no service nobody"),
    ] {
        let (status, said) = laptop.act("scale", &[("service", service), ("count", count)]).await?;
        ensure!((status, said.as_str()) == (422, why), "{status}: {said}");
    }
    Ok(())
}

pub async fn without_scripts_a_button_leads_to_what_became_of_it(
    _: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/services").await?;
    browser.click(&button("history", "kill")).await?;
    browser.see_text("main p", "history was killed.").await?;
    browser.click("main a").await?;
    browser.see(&state("history", "running")).await.map(drop)
}
