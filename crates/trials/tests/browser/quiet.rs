//! A page is quiet: its console has no errors, and it asks nobody else for anything.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Checks what pages of `site` wrote to the console (`said`), and what they did on the network
/// (`events` of the DevTools protocol).
pub fn check(site: &str, said: &[Value], events: &[Value]) -> anyhow::Result<()> {
    let mut documents = BTreeSet::new();
    let mut others = BTreeSet::new();
    for event in events {
        let event: Value = serde_json::from_str(event["message"].as_str().context("no event")?)?;
        let (method, parameters) = (&event["message"]["method"], &event["message"]["params"]);
        let url = parameters["request"]["url"].as_str().unwrap_or_default();
        if method == "Network.requestWillBeSent" {
            if parameters["type"] == "Document" {
                documents.insert(url.to_owned());
            }
            // What has another scheme, as Chromium's own first page has, leaves nothing.
            if url.starts_with("http") && !url.starts_with(&format!("{site}/")) {
                others.insert(url.to_owned());
            }
        }
    }
    ensure!(!documents.is_empty(), "the browser has no log of its requests");
    ensure!(others.is_empty(), "pages of {site} asked for {others:#?}");
    let errors: Vec<_> = said.iter().filter(|it| is_error(it, &documents)).collect();
    ensure!(errors.is_empty(), "the console has errors: {errors:#?}");
    Ok(())
}

/// Chromium also calls it an error when a page itself came with the status of a problem.
fn is_error(entry: &Value, documents: &BTreeSet<String>) -> bool {
    let message = entry["message"].as_str().unwrap_or_default();
    let about = message.split(' ').next().unwrap_or_default();
    let expected = entry["source"] == "network" && documents.contains(about);
    entry["level"] == "SEVERE" && !expected
}
