//! The order form, and the mistakes that a person can make in it.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::{Outcome, browser::Browser, looks, test_system::TestSystem};

pub async fn the_form_is_filled_in_at_first(_: &mut TestSystem, browser: &Browser) -> Outcome {
    browser.visit("/").await?;
    ensure!(!browser.typed("#customer").await?.is_empty());
    ensure!(!browser.typed("#total").await?.is_empty());
    looks::check(browser, "form").await
}

pub async fn each_mistake_is_explained_at_its_field_and_the_input_is_kept(
    _: &mut TestSystem,
    browser: &Browser,
) -> Outcome {
    browser.visit("/").await?;
    browser.fill_in("#customer", " ").await?;
    browser.fill_in("#total", "79.999").await?;
    browser.click("form button").await?;
    for (css, name, sentence, typed) in [
        ("#customer", "Customer", "Enter the customer's name.", " "),
        ("#total", "Total", "A total has at most two decimals.", "79.999"),
    ] {
        ensure!(browser.text(&format!("{css}-error")).await? == sentence);
        ensure!(browser.typed(css).await? == typed);
        let (description, invalid) = as_announced(browser, name).await?;
        ensure!(description.contains(sentence), "{name} is announced with {description:?}");
        ensure!(invalid == "true", "{name} is not announced as invalid");
    }
    // A screen reader announces an error only at its field, so the focus is moved there.
    let focused = browser.evaluate("return document.activeElement.id").await?;
    ensure!(focused == "customer", "the focus is on {focused}");
    looks::check(browser, "form-errors").await
}

/// What assistive technology announces for a field: its description, and whether it is invalid.
async fn as_announced(browser: &Browser, field: &str) -> anyhow::Result<(String, String)> {
    let tree = browser.session.cdp("Accessibility.getFullAXTree", json!({})).await?;
    let nodes = tree["nodes"].as_array().context("no accessibility tree")?;
    let is_field = |it: &&Value| it["role"]["value"] == "textbox" && it["name"]["value"] == field;
    let node = nodes.iter().find(is_field).with_context(|| format!("no field named {field}"))?;
    let properties = node["properties"].as_array().context("the field has no properties")?;
    let invalid = properties.iter().find(|it| it["name"] == "invalid");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let invalid = invalid.map(|it| text(&it["value"]["value"])).unwrap_or_default();
    Ok((text(&node["description"]["value"]), invalid))
}
