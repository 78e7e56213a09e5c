//! The picture in which orders are seen moving.

use anyhow::ensure;

use crate::{Outcome, browser::Browser, common::Bed, looks};

pub async fn orders_move_through_the_picture_and_only_large_ones_to_promotion(
    bed: &mut Bed,
    browser: &Browser,
) -> Outcome {
    browser.visit("/flow").await?;
    browser.see("main svg").await?;
    browser.evaluate("window.neverLeft = true").await?;
    let small = bed.order("Ada Lovelace", "79.99").await?;
    let large = bed.order("Grace Hopper", "120").await?;
    let dots = |id: &str| format!("main svg [data-order='{id}']");
    for id in [&small, &large] {
        browser.see(&dots(id)).await?;
        browser.see(&format!("{}[data-state=done]", dots(id))).await?;
    }
    ensure!(browser.all(&dots(&small)).await?.len() == 1, "a small order goes to fulfilment");
    ensure!(browser.all(&dots(&large)).await?.len() == 2, "a large order goes to both");
    ensure!(browser.evaluate("return window.neverLeft").await? == true, "the page was reloaded");
    looks::check(browser, "flow").await
}

pub async fn without_scripts_the_picture_refreshes_itself(
    bed: &mut Bed,
    browser: &Browser,
) -> Outcome {
    browser.visit("/flow").await?;
    let id = bed.order("Ada Lovelace", "120").await?;
    browser.see(&format!("main svg [data-order='{id}']")).await?;
    browser.screenshot("flow-without-scripts").await.map(drop)
}
