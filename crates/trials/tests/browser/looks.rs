//! Checks the layout and accessibility of a page: wide and narrow, light and dark.
#![allow(dead_code, reason = "each suite uses a part of it")]

use std::{env, fs, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::browser::Browser;

/// In CSS pixels: the narrowest that the pages support, and a laptop's.
const WIDTHS: [u32; 2] = [320, 1280];
const HEIGHT: u32 = 800;
/// Of the animation: the whole picture.
const RECORD_HEIGHT: u32 = 1_150;
const SCHEMES: [&str; 2] = ["light", "dark"];

/// The variable that asks for new pictures in the documents.
const UPDATE: &str = "UPDATE_SCREENSHOTS";
/// Pictures in the documents are sharp on a high-resolution screen, and have a margin below.
const README_SCALE: u32 = 2;
const README_MARGIN: u32 = 24;
const WORKSHOP_WIDTH: u32 = 1000;
/// The time between frames of the animation: eight a second.
pub const FRAME: Duration = Duration::from_millis(125);

/// Runs every rule of axe-core and returns the violations, with some examples.
const RUN_AXE: &str = "const done = arguments[0];
    const brief = ({ id, help, nodes }) =>
        ({ id, help, nodes: nodes.slice(0, 3).map(it => it.html + ' ' + it.failureSummary) });
    axe.run().then(it => done(it.violations.map(brief)), error => done([String(error)]));";

/// Checks the current page in every width and colour scheme, and keeps a screenshot of each as
/// `{name}-{width}-{scheme}.png`.
pub async fn check(browser: &Browser, name: &str) -> anyhow::Result<()> {
    check_at(browser, name, &WIDTHS).await
}

/// The same in these widths.
pub async fn check_at(browser: &Browser, name: &str, widths: &[u32]) -> anyhow::Result<()> {
    for width in widths.iter().copied() {
        for scheme in SCHEMES {
            set(browser, width, scheme).await?;
            let look = format!("{name}-{width}-{scheme}");
            keep(browser, &look).await?;
            fits(browser).await.with_context(|| look.clone())?;
            is_accessible(browser).await.with_context(|| look.clone())?;
        }
    }
    Ok(())
}

/// Keeps a screenshot of the current page in `target/screenshots`.
pub async fn keep(browser: &Browser, name: &str) -> anyhow::Result<()> {
    save(browser, &workspace().join("target/screenshots"), name).await
}

/// Whether to take the pictures of the documents again; they differ every time.
pub fn are_pictures_wanted() -> bool {
    env::var(UPDATE).is_ok_and(|it| it == "on")
}

/// Keeps the frames of an animation in `target/animation`, numbered from 0. `.ci/animation` makes a
/// GIF of them.
pub async fn record(browser: &Browser, width: u32, frames: usize) -> anyhow::Result<()> {
    let frames_folder = workspace().join("target/animation");
    if frames_folder.exists() {
        fs::remove_dir_all(&frames_folder)?;
    }
    resize(browser, width, RECORD_HEIGHT, 1).await?;
    let mut ticks = tokio::time::interval(FRAME);
    for frame in 0..frames {
        ticks.tick().await;
        save(browser, &frames_folder, &format!("{frame:03}")).await?;
    }
    Ok(())
}

/// Keeps a screenshot for the README, if that is asked for.
pub async fn keep_for_readme(browser: &Browser, name: &str, width: u32) -> anyhow::Result<()> {
    if are_pictures_wanted() {
        set(browser, width, "light").await?;
        let script =
            "return Math.ceil(document.querySelector('main').getBoundingClientRect().bottom)";
        let content = browser.evaluate(script).await?.as_u64().context("no height")?;
        let height = u32::try_from(content)? + README_MARGIN;
        resize(browser, width, height, README_SCALE).await?;
        let images = workspace().join("docs/images");
        save(browser, &images, name).await?;
    }
    Ok(())
}

/// Keeps a small picture of the top of a page for the workshop, if that is asked for.
pub async fn keep_for_workshop(browser: &Browser, name: &str, height: u32) -> anyhow::Result<()> {
    if are_pictures_wanted() {
        set(browser, WORKSHOP_WIDTH, "light").await?;
        resize(browser, WORKSHOP_WIDTH, height, 1).await?;
        let webp = json!({ "format": "webp", "quality": 80 });
        let taken = browser.session.cdp("Page.captureScreenshot", webp).await?;
        let taken = BASE64_STANDARD.decode(taken["data"].as_str().context("no picture")?)?;
        fs::write(workspace().join(format!("docs/images/{name}.webp")), taken)?;
    }
    Ok(())
}

async fn save(browser: &Browser, directory: &Path, name: &str) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    let picture = browser.picture().await?;
    fs::write(directory.join(name).with_extension("png"), picture).context("saving a screenshot")
}

/// Shows the page with another width and colour scheme.
async fn set(browser: &Browser, width: u32, scheme: &str) -> anyhow::Result<()> {
    resize(browser, width, HEIGHT, 1).await?;
    let media = json!({ "features": [
        { "name": "prefers-color-scheme", "value": scheme },
        // Axe-core cannot check a colour in the middle of a transition.
        { "name": "prefers-reduced-motion", "value": "reduce" },
    ] });
    browser.session.cdp("Emulation.setEmulatedMedia", media).await.map(drop)
}

async fn resize(browser: &Browser, width: u32, height: u32, scale: u32) -> anyhow::Result<()> {
    let screen =
        json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": false });
    browser.session.cdp("Emulation.setDeviceMetricsOverride", screen).await.map(drop)
}

/// Nothing needs to be scrolled sideways.
async fn fits(browser: &Browser) -> anyhow::Result<()> {
    let script = "return [document.documentElement.scrollWidth, window.innerWidth]";
    let widths: (u64, u64) = serde_json::from_value(browser.evaluate(script).await?)?;
    let (content, window) = widths;
    ensure!(content <= window, "the page is {content} px wide in a window of {window} px");
    Ok(())
}

async fn is_accessible(browser: &Browser) -> anyhow::Result<()> {
    let axe = fs::read_to_string(workspace().join("target/axe-core/axe.min.js"));
    browser.evaluate(&axe.context("no axe-core, which `.ci/browser` installs")?).await?;
    let script = json!({ "script": RUN_AXE, "args": [] });
    let violations = browser.session.post("/execute/async", script).await?;
    ensure!(violations == Value::Array(Vec::new()), "axe-core finds {violations:#}");
    Ok(())
}

fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}
