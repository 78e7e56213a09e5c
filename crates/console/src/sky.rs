//! Changes the weather at a proxy of the account.

use account::proxy::weather::Weather;
use anyhow::Context as _;

use crate::http::Http;

/// Where the weather of an account changes.
#[derive(Clone, Copy, Debug)]
pub struct Sky<'a> {
    /// A client.
    pub http: &'a Http,
    /// The URL of the proxy that answers.
    pub url: &'a str,
}

impl Sky<'_> {
    /// All weather that there is.
    ///
    /// # Errors
    ///
    /// If the proxy does not answer, as for the others.
    pub async fn now(self) -> anyhow::Result<Vec<Weather>> {
        self.ask("GET", String::new()).await
    }

    /// Begins it, in place of the former of the same parts, and returns all that there is then.
    ///
    /// # Errors
    ///
    /// If it cannot be.
    pub async fn begin(self, weather: &[Weather]) -> anyhow::Result<Vec<Weather>> {
        self.ask("PUT", serde_json::to_string(weather)?).await
    }

    /// Ends it for some parts, or without any of them for all, and returns what is left.
    ///
    /// # Errors
    ///
    /// If the proxy does not answer.
    pub async fn end(self, parts: &[String]) -> anyhow::Result<Vec<Weather>> {
        let parts = if parts.is_empty() { String::new() } else { serde_json::to_string(parts)? };
        self.ask("DELETE", parts).await
    }

    async fn ask(self, method: &str, body: String) -> anyhow::Result<Vec<Weather>> {
        let (status, text) = self.http.ask(method, self.url, "application/json", body).await?;
        // What is refused is a sentence.
        anyhow::ensure!(status.is_success(), "{text}");
        serde_json::from_str(&text).context("reading the weather")
    }
}
