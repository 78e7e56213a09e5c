//! Topics, queues, messages and dead letters.

use anyhow::ensure;

use crate::{
    Outcome,
    browser::Browser,
    laptop::{Laptop, until},
    looks,
};

const QUEUE: &str = "pubsub-test-promotion-EventsQueue";
const LETTERS: &str = "pubsub-test-promotion-DeadLetterQueue";

/// A message that is in the queue of the page has no link to its queue.
const HERE: &str = ".messages > li:not(:has(a[href^='/messages/']:not([href*=find])))";

pub async fn messages_are_seen_and_followed_without_touching_them(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/services").await?;
    browser.click("#task-promotion [data-key=stop]").await?;
    browser.see("#task-promotion[data-state=stopped]").await?;
    browser.visit("/messages").await?;
    // The filter policy of the manifest.
    browser.see_part(".topics", r#""numeric":[">=",80]"#).await?;
    let id = laptop.order("120").await?;
    browser.see_text(&format!("[data-queue={QUEUE}] [data-waiting]"), "1").await?;
    browser.click(&format!("a[href='/messages/{QUEUE}']")).await?;
    browser.see_part(".messages", &id).await?;
    browser.see_part(".messages", "not received yet").await?;
    browser.see_part(".messages", "order.placed from pubsub-test-publisher-ordersTopic").await?;
    ensure!(laptop.depth(QUEUE).await? == (1, 0), "looking has touched the message");
    looks::keep_for_workshop(browser, "console-queue", 520).await?;

    browser.fill_in("#find", &id).await?;
    browser.click(".filter button").await?;
    browser.see_part(".messages", "pubsub-test-fulfilment-EventsQueue").await?;
    browser.click(&format!("{HERE} summary")).await?;
    browser.see_part("details[open]", "arrived").await?;
    ensure!(laptop.act("start", &[("task", "promotion")]).await?.0 == 200);
    // What was opened stays open while the message moves.
    browser.see_part("details[open]", "received").await?;
    browser.see_part("details[open]", "deleted: it was handled").await?;
    Ok(())
}

pub async fn a_poison_message_is_a_dead_letter_with_its_reason_and_is_redriven_and_purged(
    laptop: &Laptop,
    browser: &Browser,
) -> Outcome {
    browser.visit("/traffic").await?;
    browser.choose("#poison", "promotion").await?;
    browser.click("form[action='/act/poison'] button").await?;
    browser.see_part("#said", "A poison message is in the queue of promotion").await?;
    browser.visit("/messages").await?;
    browser.see_text(&format!("[data-queue={LETTERS}] [data-waiting]"), "1").await?;
    ensure!(laptop.depth(LETTERS).await? == (1, 0));
    browser.click(&format!("a[href='/messages/{LETTERS}']")).await?;
    browser.see_part(".reason", "amount: should be a string").await?;
    browser.see_part(".messages", "not received since it was given up").await?;
    looks::keep_for_workshop(browser, "console-dead-letters", 560).await?;

    browser.click("form[action='/act/redrive'] button").await?;
    browser.see_part("#said", "1 sent back to pubsub-test-promotion-EventsQueue").await?;
    until("it fails again", async || Ok(laptop.depth(LETTERS).await? == (1, 0))).await?;
    browser.see_text("[data-waiting]", "1").await?;

    // One click deletes nothing: it asks.
    browser.click("form[action='/act/purge'] summary").await?;
    browser.see_part("form[action='/act/purge']", "nothing brings them back").await?;
    ensure!(laptop.depth(LETTERS).await? == (1, 0), "it was purged without a question");
    browser.click("form[action='/act/purge'] button").await?;
    browser.see_text("#said", &format!("{LETTERS} is empty.")).await?;
    browser.see_text("[data-waiting]", "0").await?;
    browser.see_many(".messages > li", 0).await?;
    browser.see_many("details[open]", 0).await?;
    ensure!(laptop.depth(LETTERS).await? == (0, 0));
    Ok(())
}
