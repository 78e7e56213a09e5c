//! The part of WebDriver that these tests use: JSON over HTTP to chromedriver.
//!
//! There are crates for it, but each of them turns on features of the product's dependencies, such
//! as `preserve_order` of `serde_json` or `fold` of `syn`. Everything would be compiled twice, and
//! the product tested with other features than those it ships with.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::test_system::TIMEOUT;

/// A running chromedriver. It is killed when this is dropped.
pub struct Driver {
    process: Child,
    /// Kept open, as chromedriver writes to it.
    _output: Lines<BufReader<ChildStdout>>,
    /// Used instead of the home directory, so that nothing in that is read or changed.
    _home: TempDir,
    http: Client,
    url: String,
}

impl Driver {
    /// Starts chromedriver on a free port.
    pub async fn start() -> anyhow::Result<Self> {
        let home = TempDir::new()?;
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting chromedriver, which `.ci/browser` installs")?;
        let output = process.stdout.take().context("no output")?;
        let mut output = BufReader::new(output).lines();
        let port = timeout(TIMEOUT, port(&mut output)).await??;
        let http = Client::builder().timeout(TIMEOUT).build()?;
        let url = format!("http://127.0.0.1:{port}");
        Ok(Self { process, _output: output, _home: home, http, url })
    }

    /// Opens a browser. `options` are Chromium's: its arguments and preferences.
    pub async fn open(&self, options: Value) -> anyhow::Result<Session> {
        let capabilities = json!({ "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } });
        let driver = Session { http: self.http.clone(), url: self.url.clone() };
        let opened = driver.post("/session", json!({ "capabilities": capabilities })).await?;
        let id = opened["sessionId"].as_str().context("the session has no id")?;
        Ok(Session { url: format!("{}/session/{id}", self.url), ..driver })
    }

    /// Stops chromedriver. The sessions must be closed already.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

async fn port(output: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<u16> {
    while let Some(line) = output.next_line().await? {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return Ok(port.trim_end_matches('.').parse()?);
        }
    }
    anyhow::bail!("chromedriver exited before it printed its port")
}

/// One browser.
pub struct Session {
    http: Client,
    url: String,
}

impl Session {
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Closes the browser.
    pub async fn close(&self) -> anyhow::Result<()> {
        self.send(Method::DELETE, "", None).await.map(drop)
    }

    /// Sends a command of the Chrome DevTools protocol.
    pub async fn cdp(&self, command: &str, parameters: Value) -> anyhow::Result<Value> {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// The entries of a log since the last call.
    pub async fn log(&self, kind: &str) -> anyhow::Result<Vec<Value>> {
        let entries = self.post("/se/log", json!({ "type": kind })).await?;
        Ok(entries.as_array().cloned().unwrap_or_default())
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let refused = !response.status().is_success();
        let mut answer: Value = response.json().await?;
        let value = answer["value"].take();
        ensure!(!refused, "{path}: {}: {}", value["error"], value["message"]);
        Ok(value)
    }
}
