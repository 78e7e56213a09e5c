//! What a person sees when something is not as it should be.

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::{Outcome, browser::Browser, common::Bed, looks, order};

const DYNAMODB: &str = "AWS_ENDPOINT_URL_DYNAMODB";

pub async fn a_missing_page_leads_back_to_the_form(_: &mut Bed, browser: &Browser) -> Outcome {
    browser.visit("/nowhere").await?;
    looks::check(browser, "problem-not-found").await?;
    browser.click("main a[href='/']").await?;
    browser.see("form #customer").await.map(drop)
}

pub async fn who_goes_back_and_sends_something_else_is_led_to_the_first_order(
    _: &mut Bed,
    browser: &Browser,
) -> Outcome {
    order::send(browser, "Ada Lovelace", "50").await?;
    let sent = browser.path().await?;
    browser.session.post("/back", json!({})).await?;
    browser.fill_in("#total", "51").await?;
    browser.click("form button").await?;
    browser.see(&format!("main a[href='{sent}']")).await?;
    looks::check(browser, "problem-sent-before").await
}

pub async fn a_form_of_another_site_is_refused(bed: &mut Bed, browser: &Browser) -> Outcome {
    let orders = bed.items("publisher", "ORDERS_TABLE_NAME").await?.len();
    let form = format!(
        "data:text/html,<form method=post action={}><input name=customer value=Eve>\
         <input name=total value=120><button>Win a prize</button></form>",
        bed.url("/")
    );
    browser.session.post("/url", json!({ "url": form })).await?;
    browser.click("button").await?;
    let told = browser.text("main").await?;
    ensure!(told.contains("another site"), "the page says {told:?}");
    ensure!(bed.items("publisher", "ORDERS_TABLE_NAME").await?.len() == orders);
    looks::check(browser, "problem-other-site").await
}

pub async fn while_our_books_are_out_of_reach_what_was_typed_stays(
    bed: &mut Bed,
    browser: &Browser,
) -> Outcome {
    browser.visit("/").await?;
    browser.fill_in("#customer", "Ada Lovelace").await?;
    browser.fill_in("#total", "120").await?;
    // Nothing listens on port 1.
    restart_publisher(bed, Some("http://127.0.0.1:1")).await?;
    browser.click("form button").await?;
    let notice = browser.text("[role=alert]").await?;
    ensure!(notice.contains("Sending again is safe"), "the page says {notice:?}");
    ensure!(browser.typed("#total").await? == "120");
    looks::check(browser, "form-out-of-reach").await?;
    restart_publisher(bed, None).await?;
    browser.click("form button").await?;
    browser.see("#timeline").await.map(drop)
}

/// Starts the publisher again, with DynamoDB elsewhere.
async fn restart_publisher(bed: &mut Bed, dynamodb: Option<&str>) -> Outcome {
    let publisher = bed.system.process("publisher")?;
    publisher.terminate();
    let status = publisher.wait().await?;
    ensure!(status.success(), "publisher ended with {status}");
    let mut services = bed.system.account.services.iter_mut();
    let publisher = services.find(|it| it.name == "publisher").context("no publisher")?;
    match dynamodb {
        Some(url) => publisher.variables.insert(DYNAMODB.to_owned(), url.to_owned()),
        None => publisher.variables.remove(DYNAMODB),
    };
    bed.system.start_service("publisher")?;
    bed.system.healthy().await
}
