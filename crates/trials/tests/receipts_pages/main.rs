//! The pages of the second sample in a real browser.
//!
//! Needs the packages that `.ci/browser` installs, and runs only with `BROWSER_TESTS=on`.
//! Screenshots are in `target/screenshots`.

use std::{env, fs, pin::Pin, process::ExitCode, sync::atomic::Ordering, time::Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;
use tempfile::TempDir;

#[path = "../test_system/mod.rs"]
mod test_system;

#[path = "../browser/webdriver.rs"]
mod webdriver;

#[path = "../browser/browser.rs"]
mod browser;

#[path = "../browser/quiet.rs"]
mod quiet;

#[path = "../browser/looks.rs"]
mod looks;

#[path = "../receipts/sample.rs"]
mod sample;

#[path = "../receipts/textract.rs"]
mod textract;

use browser::{Browser, Scripts};
use sample::{Differences, Sample};
use textract::picture;
use webdriver::Driver;

type Outcome = anyhow::Result<()>;

type Run = for<'a> fn(&'a Sample, &'a Browser) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>;

const SWITCH: &str = "BROWSER_TESTS";
/// A phone, a tablet and a screen.
const WIDTHS: [u32; 3] = [390, 1024, 1440];
/// A picture of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    if !env::var(SWITCH).is_ok_and(|it| it == "on") {
        println!("receipts_pages: off, nothing was checked. Install the packages with");
        println!("`.ci/browser`, then run");
        println!("    {SWITCH}=on cargo test --package trials --test receipts_pages");
        return Ok(ExitCode::SUCCESS);
    }
    let checks: [(&str, Scripts, Run); 6] = [
        ("a_picture_is_chosen_sent_and_read", Scripts::On, |it, browser| {
            Box::pin(send(it, browser))
        }),
        ("progress_is_live", Scripts::On, |it, browser| Box::pin(follow(it, browser))),
        ("a_scan_is_cancelled", Scripts::On, |it, browser| Box::pin(cancel(it, browser))),
        ("a_receipt_that_waits_says_why", Scripts::On, |it, browser| Box::pin(wait(it, browser))),
        ("what_is_wrong_is_said", Scripts::On, |it, browser| Box::pin(wrong(it, browser))),
        ("without_scripts_it_refreshes", Scripts::Off, |it, browser| Box::pin(plain(it, browser))),
    ];
    let driver = Driver::start().await?;
    let sample = Sample::start(Differences::default()).await?;
    let mut failed = 0;
    for (name, scripts, run) in checks {
        let started = Instant::now();
        let browser = Browser::open(&driver, &sample.system.url, scripts).await?;
        let outcome = match run(&sample, &browser).await {
            Ok(()) => browser.close().await,
            Err(error) => {
                let _ = looks::keep(&browser, &format!("failed-receipts-{name}")).await;
                browser.session.close().await?;
                Err(error)
            }
        };
        failed += usize::from(outcome.is_err());
        let verdict = outcome.map_or_else(|error| format!("FAILED: {error:#}"), |()| "ok".into());
        println!("test {name} ... {verdict} ({:.1} s)", started.elapsed().as_secs_f32());
    }
    sample.system.stop().await?;
    driver.stop().await?;
    println!("receipts_pages: {failed} of {} failed; see target/screenshots", checks.len());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn look(browser: &Browser, name: &str) -> Outcome {
    looks::check_at(browser, &format!("receipts-{name}"), &WIDTHS).await
}

/// Chooses a file with this content in the form.
async fn choose(browser: &Browser, name: &str, content: &[u8]) -> anyhow::Result<TempDir> {
    let folder = TempDir::new()?;
    let path = folder.path().join(name);
    fs::write(&path, content)?;
    let field = browser.see("#file").await?;
    browser.session.post(&format!("{field}/value"), json!({ "text": path })).await?;
    Ok(folder)
}

async fn send(_: &Sample, browser: &Browser) -> Outcome {
    browser.visit("/receipts").await?;
    look(browser, "none").await?;
    browser.click("main a").await?;
    let _file = choose(browser, "receipt.png", &BASE64_STANDARD.decode(PIXEL)?).await?;
    browser.see("#preview:not([hidden])").await?;
    look(browser, "form").await?;
    browser.click("#upload button").await?;
    browser.see_text("#state", "accepted").await?;
    browser.see_part("tbody", "Dark bread").await?;
    browser.see_text("tfoot td", "4.20").await?;
    anyhow::ensure!(browser.path().await?.starts_with("/receipts/"), "another page");
    anyhow::ensure!(browser.is_shown("main img").await?, "the picture is not shown");
    look(browser, "accepted").await?;
    browser.visit("/receipts").await?;
    browser.see_text("tbody a", "CORNER SHOP, 4.20").await?;
    look(browser, "list").await
}

async fn follow(sample: &Sample, browser: &Browser) -> Outcome {
    let id = sample.send(picture("slow")).await?;
    browser.visit(&format!("/receipts/{id}")).await?;
    browser.see_text("#state", "being scanned").await?;
    browser.see_part("#steps", "reading").await?;
    browser.see_text("#state", "accepted").await?;
    browser.see_part("#steps", "found 2 lines").await
}

async fn cancel(sample: &Sample, browser: &Browser) -> Outcome {
    let id = sample.send(picture("hanging")).await?;
    browser.visit(&format!("/receipts/{id}")).await?;
    browser.see_text("#state", "being scanned").await?;
    look(browser, "scanned").await?;
    browser.click("form button").await?;
    browser.see_text("#state", "cancelled").await?;
    anyhow::ensure!(!browser.is_shown("main img").await?, "the picture is still shown");
    look(browser, "cancelled").await
}

async fn wait(sample: &Sample, browser: &Browser) -> Outcome {
    sample.textract.is_down.store(true, Ordering::SeqCst);
    let id = sample.send(picture("expense that waits")).await?;
    browser.visit(&format!("/receipts/{id}")).await?;
    browser.see_text("#state", "held up").await?;
    browser.see_part("#held-up", "Textract is being repaired").await?;
    look(browser, "held-up").await?;
    sample.textract.is_down.store(false, Ordering::SeqCst);
    browser.see_text("#state", "accepted").await
}

async fn wrong(sample: &Sample, browser: &Browser) -> Outcome {
    let id = sample.send(picture("wrong")).await?;
    browser.visit(&format!("/receipts/{id}")).await?;
    browser.see_text("#state", "rejected").await?;
    browser.see_part(".notice:not([hidden])", "The total says 5.20").await?;
    look(browser, "rejected").await?;
    browser.visit("/").await?;
    let large = [picture("large"), vec![0; 10_000_000]].concat();
    let _file = choose(browser, "large.png", &large).await?;
    browser.click("#upload button").await?;
    browser.see_part("#notice", "The file has more than 10 MB.").await?;
    look(browser, "too-large").await?;
    browser.visit(&format!("/receipts/{}", uuid::Uuid::nil())).await?;
    browser.see_text("h1", "Not Found").await?;
    look(browser, "not-found").await
}

async fn plain(sample: &Sample, browser: &Browser) -> Outcome {
    browser.visit("/").await?;
    browser.see_part("noscript .notice", "curl -T").await?;
    let id = sample.send(picture("slow and plain")).await?;
    browser.visit(&format!("/receipts/{id}")).await?;
    browser.see_text("#state", "accepted").await
}
