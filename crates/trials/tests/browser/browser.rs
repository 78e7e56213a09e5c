//! A browser as a person uses it: visits pages, fills in fields, presses buttons, and waits until
//! something is shown.

#![allow(dead_code, reason = "each suite uses a part of it")]

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::{
    quiet,
    test_system::{LOOK_EVERY, TIMEOUT},
    webdriver::{Driver, Session},
};

/// The key of a reference to an element, from the WebDriver specification.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What chromedriver says of an element that has just gone.
const GONE: [&str; 2] = ["stale element", "does not belong to the document"];

/// Chromium's preference "do not allow sites to use JavaScript".
const NO_SCRIPTS: &str = "profile.managed_default_content_settings.javascript";

/// Whether a browser runs the pages' scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    On,
    Off,
}

/// A browser with a new profile, for one site.
pub struct Browser {
    pub session: Session,
    site: String,
    _profile: TempDir,
}

impl Browser {
    pub async fn open(driver: &Driver, site: &str, scripts: Scripts) -> anyhow::Result<Self> {
        let profile = TempDir::new()?;
        let user_data = format!("--user-data-dir={}", profile.path().display());
        let preferences = match scripts {
            Scripts::On => json!({}),
            Scripts::Off => json!({ NO_SCRIPTS: 2 }),
        };
        let arguments = [
            "--headless",
            "--no-sandbox", // a container has no user namespaces for it
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars", // as on a phone, where a page has the whole width
            "--remote-debugging-pipe", // exits with chromedriver, even if that is killed
            &user_data,
        ];
        let session = driver.open(json!({ "args": arguments, "prefs": preferences })).await?;
        Ok(Self { session, site: site.to_owned(), _profile: profile })
    }

    /// Opens a page of the site.
    pub async fn visit(&self, path: &str) -> anyhow::Result<()> {
        let url = format!("{}{path}", self.site);
        self.session.post("/url", json!({ "url": url })).await.map(drop)
    }

    /// Opens another tab, and shows it.
    pub async fn open_tab(&self) -> anyhow::Result<()> {
        let opened = self.session.post("/window/new", json!({ "type": "tab" })).await?;
        self.session.post("/window", json!({ "handle": opened["handle"] })).await.map(drop)
    }

    /// Shows the first tab.
    pub async fn show_first_tab(&self) -> anyhow::Result<()> {
        let tabs = self.session.get("/window/handles").await?;
        self.session.post("/window", json!({ "handle": tabs[0] })).await.map(drop)
    }

    /// Waits until an element exists, and returns the path of its commands.
    pub async fn see(&self, css: &str) -> anyhow::Result<String> {
        let look = async || Ok(self.all(css).await?.into_iter().next());
        until(look).await.with_context(|| format!("{css} does not appear"))
    }

    /// Waits until there are exactly `count` elements.
    pub async fn see_many(&self, css: &str, count: usize) -> anyhow::Result<()> {
        let look = async || Ok((self.all(css).await?.len() == count).then_some(()));
        until(look).await.with_context(|| format!("{css} does not appear {count} times"))
    }

    /// Waits until an element has this text.
    pub async fn see_text(&self, css: &str, wanted: &str) -> anyhow::Result<()> {
        let look = async || Ok((self.text_now(css).await? == wanted).then_some(()));
        until(look).await.with_context(|| format!("the text of {css} does not become {wanted:?}"))
    }

    /// The paths of the commands of every element that exists now.
    pub async fn all(&self, css: &str) -> anyhow::Result<Vec<String>> {
        let query = json!({ "using": "css selector", "value": css });
        let found = self.session.post("/elements", query).await?;
        let found = found.as_array().context("no list of elements")?;
        let ids = found.iter().filter_map(|it| it[ELEMENT].as_str());
        Ok(ids.map(|id| format!("/element/{id}")).collect())
    }

    pub async fn click(&self, css: &str) -> anyhow::Result<()> {
        let element = self.see(css).await?;
        self.session.post(&format!("{element}/click"), json!({})).await.map(drop)
    }

    /// Replaces the text in a field.
    pub async fn fill_in(&self, css: &str, text: &str) -> anyhow::Result<()> {
        let element = self.see(css).await?;
        self.session.post(&format!("{element}/clear"), json!({})).await?;
        self.session.post(&format!("{element}/value"), json!({ "text": text })).await.map(drop)
    }

    /// Presses a key on whatever has the focus; its code is of the WebDriver specification.
    pub async fn press(&self, key: &str) -> anyhow::Result<()> {
        let presses: Vec<_> =
            ["keyDown", "keyUp"].map(|it| json!({ "type": it, "value": key })).into();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": presses });
        self.session.post("/actions", json!({ "actions": [keyboard] })).await.map(drop)
    }

    /// Chooses the option with this text in a list.
    pub async fn choose(&self, css: &str, option: &str) -> anyhow::Result<()> {
        let list = self.see(css).await?;
        let keys = json!({ "text": option });
        self.session.post(&format!("{list}/value"), keys).await?;
        self.see_value(css, option).await
    }

    async fn see_value(&self, css: &str, wanted: &str) -> anyhow::Result<()> {
        let typed = self.typed(css).await?;
        anyhow::ensure!(typed == wanted, "{css} has {typed:?} in place of {wanted:?}");
        Ok(())
    }

    /// Waits until the text of an element contains this.
    pub async fn see_part(&self, css: &str, wanted: &str) -> anyhow::Result<()> {
        let look = async || Ok(self.text_now(css).await?.contains(wanted).then_some(()));
        until(look).await.with_context(|| format!("the text of {css} does not get {wanted:?}"))
    }

    /// The visible text of an element; empty if it goes away while it is read, as on a page that
    /// is being left.
    async fn text_now(&self, css: &str) -> anyhow::Result<String> {
        match self.text(css).await {
            Err(error) if GONE.iter().any(|it| format!("{error:#}").contains(it)) => {
                Ok(String::new())
            }
            text => text,
        }
    }

    /// The visible text of an element.
    pub async fn text(&self, css: &str) -> anyhow::Result<String> {
        self.string(&format!("{}/text", self.see(css).await?)).await
    }

    /// Whether there is such an element, and a person can see it.
    pub async fn is_shown(&self, css: &str) -> anyhow::Result<bool> {
        for element in self.all(css).await? {
            if self.session.get(&format!("{element}/displayed")).await? == true {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The text in a field.
    pub async fn typed(&self, css: &str) -> anyhow::Result<String> {
        self.string(&format!("{}/property/value", self.see(css).await?)).await
    }

    /// The path of the page.
    pub async fn path(&self) -> anyhow::Result<String> {
        let url = self.string("/url").await?;
        Ok(url.strip_prefix(&self.site).context("another site")?.to_owned())
    }

    async fn string(&self, command: &str) -> anyhow::Result<String> {
        let value = self.session.get(command).await?;
        value.as_str().map(str::to_owned).with_context(|| format!("{command} is {value}"))
    }

    /// The result of a script, to which the page's Content-Security-Policy does not apply.
    pub async fn evaluate(&self, script: &str) -> anyhow::Result<Value> {
        self.session.post("/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// A screenshot of the whole page, as PNG.
    pub async fn picture(&self) -> anyhow::Result<Vec<u8>> {
        let parameters = json!({ "captureBeyondViewport": true });
        let taken = self.session.cdp("Page.captureScreenshot", parameters).await?;
        Ok(BASE64_STANDARD.decode(taken["data"].as_str().context("no picture")?)?)
    }

    /// Closes the browser. Fails if a page had errors or sent a request to another site.
    pub async fn close(self) -> anyhow::Result<()> {
        let console = self.session.log("browser").await;
        let events = self.session.log("performance").await;
        self.session.close().await?;
        quiet::check(&self.site, &console?, &events?)
    }
}

/// Looks until there is something, or until the timeout.
async fn until<T>(look: impl AsyncFn() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let found = async {
        loop {
            if let Some(it) = look().await? {
                return Ok(it);
            }
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(TIMEOUT, found).await?
}
