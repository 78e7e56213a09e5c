//! The pages that a person sees when something goes wrong.

use std::collections::BTreeSet;

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

/// The browser fills in what was typed before, but the form is for another order.
pub async fn going_back_and_sending_again_places_another_order(
    _: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    let mut orders = BTreeSet::new();
    order::send(browser, "Ada Lovelace", "50").await?;
    orders.insert(browser.path().await?);
    for total in [None, Some("51")] {
        browser.session.post("/back", json!({})).await?;
        if let Some(total) = total {
            browser.fill_in("#total", total).await?;
        }
        browser.click("form button").await?;
        browser.see("#timeline").await?;
        orders.insert(browser.path().await?);
    }
    ensure!(orders.len() == 3, "three orders are {orders:?}");
    Ok(())
}

/// Without scripts a browser may show the same form again.
pub async fn a_form_that_was_sent_before_and_changed_keeps_what_was_typed(
    _: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    browser.visit("/").await?;
    let id = browser.typed("[name=id]").await?;
    browser.fill_in("#customer", "Ada Lovelace").await?;
    browser.fill_in("#total", "50").await?;
    browser.click("form button").await?;
    browser.see("#timeline").await?;
    browser.visit("/").await?;
    browser.fill_in("#customer", "Ada Lovelace").await?;
    browser.fill_in("#total", "51").await?;
    browser.evaluate(&format!("document.querySelector('[name=id]').value = '{id}'")).await?;
    browser.click("form button").await?;
    browser.see(&format!("[role=alert] a[href='/orders/{id}']")).await?;
    ensure!(browser.typed("#total").await? == "51");
    ensure!(browser.typed("[name=id]").await? != id, "the form has the same id again");
    looks::check(browser, "form-sent-before").await?;
    browser.click("form button").await?;
    browser.see("#timeline").await?;
    ensure!(browser.path().await? != format!("/orders/{id}"));
    Ok(())
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
