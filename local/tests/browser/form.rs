//! The order form, and the pages that tell of problems.

use anyhow::ensure;

use crate::{Outcome, browser::Browser, common::Bed, looks};

pub async fn the_form_is_filled_in_for_a_start(_: &mut Bed, browser: &Browser) -> Outcome {
    browser.visit("/").await?;
    ensure!(!browser.typed("#customer").await?.is_empty());
    ensure!(!browser.typed("#total").await?.is_empty());
    looks::check(browser, "form").await
}

pub async fn what_is_wrong_is_said_at_the_field_and_what_was_typed_stays(
    _: &mut Bed,
    browser: &Browser,
) -> Outcome {
    browser.visit("/").await?;
    browser.fill_in("#customer", " ").await?;
    browser.fill_in("#total", "79.999").await?;
    browser.click("form button").await?;
    browser.see("#total-error").await?;
    ensure!(browser.path().await? == "/");
    ensure!(browser.typed("#customer").await? == " ");
    ensure!(browser.typed("#total").await? == "79.999");
    looks::check(browser, "form-errors").await
}

pub async fn a_missing_page_leads_back_to_the_form(_: &mut Bed, browser: &Browser) -> Outcome {
    browser.visit("/nowhere").await?;
    looks::check(browser, "not-found").await?;
    browser.click("main a[href='/']").await?;
    browser.see("form #customer").await.map(drop)
}
