//! The pages that a person sees when something goes wrong.

use anyhow::ensure;
use serde_json::json;

use crate::{Outcome, browser::Browser, looks, order, test_system::TestSystem};

const DYNAMODB: &str = "AWS_ENDPOINT_URL_DYNAMODB";
/// Nothing listens on port 1.
const NOWHERE: &str = "http://127.0.0.1:1";

pub async fn a_missing_page_leads_back_to_the_form(
    _: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    browser.visit("/nowhere").await?;
    looks::check(browser, "problem-not-found").await?;
    browser.click("main a[href='/']").await?;
    browser.see("form #customer").await.map(drop)
}

pub async fn going_back_and_sending_another_total_leads_to_the_first_order(
    _: &mut TestSystem,
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

pub async fn a_form_of_another_site_is_refused(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    let orders = test.items("publisher", "ORDERS_TABLE_NAME").await?.len();
    let form = format!(
        "data:text/html,<form method=post action={}><input name=customer value=Eve>\
         <input name=total value=120><button>Win a prize</button></form>",
        test.url("/")
    );
    browser.session.post("/url", json!({ "url": form })).await?;
    browser.click("button").await?;
    let page = browser.text("main").await?;
    ensure!(page.contains("another site"), "the page says {page:?}");
    ensure!(test.items("publisher", "ORDERS_TABLE_NAME").await?.len() == orders);
    looks::check(browser, "problem-other-site").await
}

pub async fn while_dynamodb_is_unavailable_the_input_is_kept(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    browser.visit("/").await?;
    browser.fill_in("#customer", "Ada Lovelace").await?;
    browser.fill_in("#total", "120").await?;
    restart(test, "publisher", Some(NOWHERE)).await?;
    browser.click("form button").await?;
    let notice = browser.text("[role=alert]").await?;
    ensure!(notice.contains("Sending again is safe"), "the page says {notice:?}");
    ensure!(browser.typed("#total").await? == "120");
    looks::check(browser, "form-out-of-reach").await?;
    restart(test, "publisher", None).await?;
    browser.click("form button").await?;
    browser.see("#timeline").await.map(drop)
}

pub async fn a_failed_attempt_is_shown_and_so_is_the_one_that_succeeds(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    restart(test, "promotion", Some(NOWHERE)).await?;
    order::send(browser, "Ada Lovelace", "120").await?;
    browser.see("#timeline [data-step=promotion][data-state=failed]").await?;
    looks::check(browser, "order-failed").await?;
    restart(test, "promotion", None).await?;
    browser.see("#timeline [data-step=promotion][data-state=done]").await?;
    browser.see("main[data-done=true] #attachments code").await?;
    let attempts = browser.all("[data-step=promotion] ul li").await?.len();
    ensure!(attempts > 1, "the failed attempt is not shown any more");
    looks::check(browser, "order-mended").await
}

/// Restarts a service, with another address of DynamoDB or with the right one.
async fn restart(test: &mut TestSystem, service: &str, dynamodb: Option<&str>) -> Outcome {
    test.stop(service).await?;
    let variables = test.variables(service)?;
    match dynamodb {
        Some(url) => variables.insert(DYNAMODB.to_owned(), url.to_owned()),
        None => variables.remove(DYNAMODB),
    };
    test.system.start_service(service)?;
    test.system.healthy().await
}
