//! Checks that a page has no errors on its console, and sends no request to another site.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Checks the `console` of pages of `site`, and their requests: `events` of the DevTools protocol.
pub fn check(site: &str, console: &[Value], events: &[Value]) -> anyhow::Result<()> {
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
            // Other schemes, such as that of Chromium's first page, send nothing.
            if url.starts_with("http") && !url.starts_with(&format!("{site}/")) {
                others.insert(url.to_owned());
            }
        }
    }
    ensure!(!documents.is_empty(), "the browser logged no requests");
    ensure!(others.is_empty(), "pages of {site} asked for {others:#?}");
    let errors: Vec<_> = console.iter().filter(|it| is_error(it, &documents)).collect();
    ensure!(errors.is_empty(), "the console has errors: {errors:#?}");
    Ok(())
}

/// Chromium also logs an error if the page itself has an error status, which some checks want.
fn is_error(entry: &Value, documents: &BTreeSet<String>) -> bool {
    let message = entry["message"].as_str().unwrap_or_default();
    let about = message.split(' ').next().unwrap_or_default();
    let expected = entry["source"] == "network" && documents.contains(about);
    entry["level"] == "SEVERE" && !expected
}
