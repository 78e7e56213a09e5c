//! Changes the weather, by the proxy that `local weather` changes too.

use account::proxy::weather::Weather;
use anyhow::Context as _;

use crate::app::App;

/// Begins an outage.
pub async fn change(app: &App, of: &str, how: &str, seconds: &str) -> anyhow::Result<String> {
    let how = how.parse().map_err(anyhow::Error::msg)?;
    let seconds = seconds.parse().context("the number of seconds")?;
    let weather = Weather { of: of.to_owned(), how, seconds };
    ask(app, "PUT", serde_json::to_string(&weather)?).await?;
    Ok(format!("AWS: {weather}."))
}

/// Ends all.
pub async fn fair(app: &App) -> anyhow::Result<String> {
    ask(app, "DELETE", String::new()).await?;
    Ok("Fair weather.".to_owned())
}

/// The weather now, if it can change.
pub async fn now(app: &App) -> anyhow::Result<Option<Weather>> {
    let text = ask(app, "GET", String::new()).await?;
    serde_json::from_str(&text).context("reading the weather")
}

async fn ask(app: &App, method: &str, body: String) -> anyhow::Result<String> {
    let url = app.sources.weather.as_ref().context("the weather of this account is its own")?;
    let (status, text) = app.http.ask(method, url, "application/json", body).await?;
    anyhow::ensure!(status.is_success(), "{status}: {text}");
    Ok(text)
}
