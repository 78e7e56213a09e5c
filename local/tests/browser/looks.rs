//! A page as different people see it: wide and narrow, light and dark, and by its accessibility.

use std::{fs, sync::LazyLock};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::{browser::Browser, target};

/// In CSS pixels: the narrowest that the pages promise, and a laptop's.
const WIDTHS: [u32; 2] = [320, 1280];
const HEIGHT: u32 = 800;
const SCHEMES: [&str; 2] = ["light", "dark"];

/// Runs every rule of axe-core and returns what it holds against the page.
const RUN_AXE: &str = "const done = arguments[0]; axe.run().then(
    result => done(result.violations.map(it => ({
        rule: it.id, help: it.help, where: it.nodes.map(node => node.html + ' ' + node.failureSummary),
    }))),
    error => done([String(error)]));";

static AXE: LazyLock<Result<String, String>> = LazyLock::new(|| {
    let file = target().join("axe-core/package/axe.min.js");
    let read = fs::read_to_string(&file);
    read.map_err(|error| format!("{} ({error}): `.ci/browser` installs it", file.display()))
});

/// Checks the page that is shown in every width and colour scheme, and keeps a screenshot of each
/// as `{name}-{width}-{scheme}.png`.
pub async fn check(browser: &Browser, name: &str) -> anyhow::Result<()> {
    for width in WIDTHS {
        for scheme in SCHEMES {
            set(browser, width, scheme).await?;
            let look = format!("{name}-{width}-{scheme}");
            browser.screenshot(&look).await?;
            fits(browser).await.with_context(|| look.clone())?;
            is_accessible(browser).await.with_context(|| look.clone())?;
        }
    }
    Ok(())
}

/// Looks at the page with another width and colour scheme.
pub async fn set(browser: &Browser, width: u32, scheme: &str) -> anyhow::Result<()> {
    let screen =
        json!({ "width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": false });
    browser.session.cdp("Emulation.setDeviceMetricsOverride", screen).await?;
    let media = json!({ "features": [
        { "name": "prefers-color-scheme", "value": scheme },
        // A colour on its way to another one is neither.
        { "name": "prefers-reduced-motion", "value": "reduce" },
    ] });
    browser.session.cdp("Emulation.setEmulatedMedia", media).await.map(drop)
}

/// Nothing has to be scrolled sideways.
async fn fits(browser: &Browser) -> anyhow::Result<()> {
    let script = "return [document.documentElement.scrollWidth, window.innerWidth]";
    let widths: (u64, u64) = serde_json::from_value(browser.evaluate(script).await?)?;
    let (content, window) = widths;
    ensure!(content <= window, "the page is {content} px wide in a window of {window} px");
    Ok(())
}

async fn is_accessible(browser: &Browser) -> anyhow::Result<()> {
    let axe = AXE.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
    browser.evaluate(axe).await?;
    let script = json!({ "script": RUN_AXE, "args": [] });
    let violations = browser.session.post("/execute/async", script).await?;
    ensure!(violations == Value::Array(Vec::new()), "axe-core finds {violations:#}");
    Ok(())
}
