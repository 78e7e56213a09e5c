//! The list of the latest orders.

use anyhow::ensure;

use crate::{Outcome, browser::Browser, looks, test_system::TestSystem};

/// More than fit on a page.
const ORDERS: usize = 25;

const LARGEST_TOTAL: &str = "999999999.99";
const LONGEST_NAME: usize = 100;

const NAMES: &str = "return [...document.querySelectorAll('main tbody a')].map(it => it.text)";

/// Must be the first check, as it needs a system without orders.
pub async fn without_orders_the_list_leads_to_the_form(
    _: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    browser.visit("/orders").await?;
    ensure!(browser.all("table").await?.is_empty(), "there is a table without orders");
    looks::check(browser, "orders-none").await?;
    browser.click("main p a[href='/']").await?;
    browser.see("form #customer").await.map(drop)
}

pub async fn the_latest_orders_are_listed_newest_first_and_paged(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    let mut sent = Vec::new();
    for number in 1..=ORDERS {
        let customer = format!("Customer {number}");
        let total = (40 + 4 * number).to_string();
        sent.push((test.order(&customer, &total).await?, customer));
    }
    sent.reverse();
    test.until_listed(&sent[0].0).await?;
    browser.visit("/orders").await?;
    let mut listed = names(browser).await?;
    let (newest, customer) = &sent[0];
    let shown = browser.text("tbody tr:first-child").await?;
    ensure!(shown.contains("140.00"), "the newest order is shown as {shown}");
    looks::check(browser, "orders").await?;

    browser.click("a[rel=next]").await?;
    browser.see("a[href='/orders']").await?;
    listed.extend(names(browser).await?);
    listed.truncate(ORDERS);
    let expected: Vec<_> = sent.iter().map(|(_, customer)| customer.clone()).collect();
    ensure!(listed == expected, "the orders are listed as {listed:#?}");
    looks::check(browser, "orders-older").await?;

    browser.visit("/orders").await?;
    browser.click(&format!("tbody a[href='/orders/{newest}']")).await?;
    browser.see("#timeline").await?;
    ensure!(browser.text("h1").await?.contains(customer.as_str()));
    Ok(())
}

pub async fn the_longest_name_and_the_largest_total_fit(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    let id = test.order(&"W".repeat(LONGEST_NAME), LARGEST_TOTAL).await?;
    test.until_listed(&id).await?;
    browser.visit("/orders").await?;
    looks::check(browser, "orders-long").await?;
    browser.visit(&format!("/orders/{id}")).await?;
    browser.see("main[data-done=true]").await?;
    looks::check(browser, "order-long").await
}

async fn names(browser: &Browser) -> anyhow::Result<Vec<String>> {
    browser.see("tbody a").await?;
    Ok(serde_json::from_value(browser.evaluate(NAMES).await?)?)
}
