//! The picture in which orders move.

use anyhow::{Context as _, ensure};
use tokio::time::{Duration, interval};

use crate::{
    Outcome,
    browser::Browser,
    looks, order,
    test_system::{TestSystem, webhooks::payment},
};

/// Fulfilment is stopped at first: its orders wait in its queue, those of promotion do not.
pub async fn orders_move_through_the_picture_and_only_large_ones_to_promotion(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    order::stop_fulfilment(test).await?;
    browser.visit("/flow").await?;
    browser.see("main svg").await?;
    browser.evaluate("window.neverLeft = true").await?;
    let small = test.order("Ada Lovelace", "79.99").await?;
    let large = test.order("Grace Hopper", "120").await?;
    let dot = |id: &str, service: &str, state: &str| {
        format!("main svg [data-order='{id}'][data-service={service}][data-state={state}]")
    };
    browser.see_many(&dot(&small, "fulfilment", "waiting"), 1).await?;
    browser.see_many(&dot(&large, "fulfilment", "waiting"), 1).await?;
    browser.see_many(&dot(&large, "promotion", "done"), 1).await?;
    let of_promotion = format!("main svg [data-order='{small}'][data-service=promotion]");
    browser.see_many(&of_promotion, 0).await?;
    looks::check(browser, "flow-waiting").await?;
    looks::keep_for_readme(browser, "flow", 1200).await?;

    let waiting = left(browser, &dot(&small, "fulfilment", "waiting")).await?;
    test.system.start_service("fulfilment")?;
    browser.see_many(&dot(&small, "fulfilment", "done"), 1).await?;
    browser.see_many(&dot(&large, "fulfilment", "done"), 1).await?;
    browser.see_many(&dot(&large, "promotion", "done"), 1).await?;
    let done = left(browser, &dot(&small, "fulfilment", "done")).await?;
    ensure!(waiting < done, "the dot went from {waiting} to {done}");
    ensure!(browser.evaluate("return window.neverLeft").await? == true, "the page was reloaded");
    looks::check(browser, "flow-done").await
}

/// Each has a dot in the lane of webhooks.
pub async fn payments_move_through_the_picture(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    browser.visit("/flow").await?;
    browser.see("[data-lane=payment]").await?;
    let (paid, unpaid) = (test.order("Ada", "80").await?, test.order("Grace", "80").await?);
    test.webhook("payments", &payment("payment.received", &paid)).await?;
    test.webhook("payments", &payment("payment.failed", &unpaid)).await?;
    for (id, state) in [(paid, "done"), (unpaid, "failed")] {
        let dot = format!("main svg [data-order='{id}'][data-service=payment][data-state={state}]");
        browser.see_many(&dot, 1).await?;
    }
    looks::check(browser, "flow-payments").await
}

/// The distance of a dot from the left, in pixels.
async fn left(browser: &Browser, css: &str) -> anyhow::Result<f64> {
    let script = format!("return document.querySelector(`{css}`).getBoundingClientRect().left");
    browser.evaluate(&script).await?.as_f64().context("the dot has no place")
}

pub async fn without_scripts_the_picture_refreshes_itself(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    browser.visit("/flow").await?;
    let id = test.order("Ada Lovelace", "120").await?;
    browser.see(&format!("main svg [data-order='{id}']")).await?;
    looks::keep(browser, "flow-without-scripts").await
}

/// Ten seconds of moving orders, with a slow fulfilment.
pub async fn ten_seconds_are_recorded_for_the_readme(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    const FRAMES: usize = 80;
    order::stop_fulfilment(test).await?;
    test.variables("fulfilment")?.insert("PACE_MS".to_owned(), "500".to_owned());
    test.system.start_service("fulfilment")?;
    browser.visit("/flow").await?;
    browser.see("main svg").await?;
    let sending = async {
        let mut ticks = interval(Duration::from_millis(700));
        for total in ["120", "42.50", "80", "19.99", "240", "64", "99", "12", "150", "75"] {
            ticks.tick().await;
            test.order("Ada Lovelace", total).await?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(sending, looks::record(browser, 1150, FRAMES)).map(drop)
}
