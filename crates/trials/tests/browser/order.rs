//! The page of an order, which shows its steps.

use anyhow::ensure;

use crate::{
    Outcome,
    browser::Browser,
    looks,
    test_system::{TestSystem, webhooks::payment},
};

/// In groups of four, as people read it aloud.
const CODE_CHARACTERS: usize = "KWQ4-77W5-2D2F".len();

const CONTROL_V: &str = "\u{e009}v";

/// Fulfilment is stopped until the page shows that it is pending. The page then changes by itself.
pub async fn an_order_of_120_is_shown_at_each_step_and_its_coupon_is_copied(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    stop_fulfilment(test).await?;
    send(browser, "Ada Lovelace", "120").await?;
    browser.see("main[data-done=false]").await?;
    for step in ["stored", "announced", "promotion"] {
        browser.see(&done(step)).await?;
    }
    browser.see("#timeline[aria-live=polite] [data-step=fulfilment][data-state=waiting]").await?;
    looks::check(browser, "order-waiting").await?;

    browser.evaluate("window.neverLeft = true").await?;
    test.system.start_service("fulfilment")?;
    browser.see(&done("fulfilment")).await?;
    browser.see("main[data-done=true]").await?;
    ensure!(browser.evaluate("return window.neverLeft").await? == true, "the page was reloaded");
    looks::check(browser, "order-done").await?;
    copies_its_coupon(test, browser).await
}

/// The page is open meanwhile, and the payment comes while the order waits for fulfilment.
pub async fn a_payment_shows_on_the_open_page_when_it_fails_and_when_it_comes_in(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    stop_fulfilment(test).await?;
    let id = test.order("Ada Lovelace", "80").await?;
    browser.visit(&format!("/orders/{id}")).await?;
    browser.see(&done("announced")).await?;
    browser.evaluate("window.neverLeft = true").await?;
    test.webhook("payments", &payment("payment.failed", &id)).await?;
    browser.see("#timeline [data-step=payment][data-state=failed]").await?;
    looks::check(browser, "order-payment-failed").await?;
    test.webhook("payments", &payment("payment.received", &id)).await?;
    browser.see(&done("payment")).await?;
    test.system.start_service("fulfilment")?;
    browser.see("main[data-done=true]").await?;
    browser.see(&done("payment")).await?;
    ensure!(browser.evaluate("return window.neverLeft").await? == true, "the page was reloaded");
    looks::check(browser, "order-paid").await
}

/// As `local` replaces it after an edit of a template.
pub async fn a_page_that_is_open_while_the_publisher_is_replaced_goes_on(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    stop_fulfilment(test).await?;
    send(browser, "Ada Lovelace", "50").await?;
    browser.see(&done("announced")).await?;
    browser.evaluate("window.neverLeft = true").await?;
    test.system.replace_services(&["publisher".to_owned()]).await?;
    test.system.start_service("fulfilment")?;
    browser.see(&done("fulfilment")).await?;
    ensure!(browser.evaluate("return window.neverLeft").await? == true, "the page was reloaded");
    Ok(())
}

/// A browser opens six connections to a site, and each live page holds one.
pub async fn many_open_pages_do_not_block_the_site(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    const PAGES: usize = 8;
    stop_fulfilment(test).await?;
    for page in 0..PAGES {
        if page > 0 {
            browser.open_tab().await?;
        }
        send(browser, "Ada Lovelace", "50").await?;
    }
    // A page that is shown again goes on where it was.
    browser.show_first_tab().await?;
    browser.evaluate("window.neverLeft = true").await?;
    test.system.start_service("fulfilment")?;
    browser.see(&done("fulfilment")).await?;
    ensure!(browser.evaluate("return window.neverLeft").await? == true, "the page was reloaded");
    Ok(())
}

async fn copies_its_coupon(test: &TestSystem, browser: &Browser) -> Outcome {
    let code = browser.text("#attachments code").await?;
    ensure!(code.len() == CODE_CHARACTERS, "{code:?} is not a code");
    let coupons = test.items("promotion", "COUPONS_TABLE_NAME").await?;
    let stored = coupons.iter().any(|item| item["code"].as_s() == Ok(&code));
    ensure!(stored, "{code} is not among the stored coupons");
    // Who has a code can use it, so no log has one.
    for service in test.system.names() {
        ensure!(test.lines(&service, &code).is_empty(), "{service} logs the code of a coupon");
    }
    browser.click("#attachments button").await?;
    browser.see_text("#attachments [role=status]", "Copied").await?;
    looks::check(browser, "order-copied").await?;
    looks::keep_for_readme(browser, "order", 720).await?;
    // It can be pasted.
    browser.visit("/").await?;
    browser.fill_in("#customer", CONTROL_V).await?;
    ensure!(browser.typed("#customer").await? == code, "the clipboard has something else");
    Ok(())
}

pub async fn an_order_of_50_has_no_promotion(_: &mut TestSystem, browser: &Browser) -> Outcome {
    send(browser, "Grace Hopper", "50").await?;
    browser.see("main[data-done=true]").await?;
    for step in ["stored", "announced", "fulfilment"] {
        browser.see(&done(step)).await?;
    }
    ensure!(
        browser.all("[data-step=promotion]").await?.is_empty(),
        "an order of 50 reached promotion"
    );
    ensure!(!browser.is_shown("#attachments code").await?, "an order of 50 has a coupon");
    looks::check(browser, "order-small").await
}

pub async fn without_scripts_the_page_refreshes_itself_until_the_order_is_done(
    test: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    stop_fulfilment(test).await?;
    send(browser, "Ada Lovelace", "120").await?;
    browser.see("main[data-done=false]").await?;
    test.system.start_service("fulfilment")?;
    browser.see("main[data-done=true]").await?;
    for step in ["stored", "announced", "fulfilment", "promotion"] {
        browser.see(&done(step)).await?;
    }
    ensure!(browser.text("#attachments code").await?.len() == CODE_CHARACTERS);
    // Without scripts the button would do nothing.
    ensure!(
        !browser.is_shown("#attachments button").await?,
        "there is a button that needs scripts"
    );
    looks::keep(browser, "order-without-scripts").await
}

/// Fills in the form and sends it, as a person does.
pub async fn send(browser: &Browser, customer: &str, total: &str) -> Outcome {
    browser.visit("/").await?;
    browser.fill_in("#customer", customer).await?;
    browser.fill_in("#total", total).await?;
    browser.click("form button").await?;
    browser.see("#timeline").await?;
    let path = browser.path().await?;
    ensure!(path.starts_with("/orders/"), "the order is shown at {path}");
    Ok(())
}

/// The time of a step that is done.
fn done(step: &str) -> String {
    format!("#timeline [data-step={step}][data-state=done] time")
}

pub async fn stop_fulfilment(test: &mut TestSystem) -> Outcome {
    test.stop("fulfilment").await
}
