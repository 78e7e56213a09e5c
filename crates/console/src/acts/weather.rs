//! Lets parts of AWS fail, and work again.

use account::{
    proxy::{
        part,
        weather::{How, Weather},
    },
    resources,
};
use anyhow::Context as _;

use crate::{app::App, pages::weather::ways, sky::Sky};

/// Begins to let a part fail.
pub async fn fail(app: &App, of: &str, how: &str, seconds: &str) -> anyhow::Result<String> {
    let there = resources::names(&app.dynamodb, &app.sns, &app.sqs).await?;
    let of = part::named(of, &there).map_err(anyhow::Error::msg)?;
    let ways: Vec<_> = ways().into_iter().map(|(name, _)| name).collect();
    anyhow::ensure!(ways.iter().any(|it| it == how), "{how:?} is none of {}", ways.join(", "));
    let how = How::Fails(how.parse().map_err(anyhow::Error::msg)?);
    begin(app, Weather { of, how, seconds: number(seconds)? }).await
}

/// Begins to make deliveries twice.
pub async fn twice(app: &App, percent: &str, seconds: &str) -> anyhow::Result<String> {
    let percent = percent.parse().context("the percentage")?;
    begin(app, Weather::twice(percent, number(seconds)?)).await
}

/// Ends it for one part.
pub async fn end(app: &App, of: &str) -> anyhow::Result<String> {
    let is_there = sky(app)?.now().await?.iter().any(|it| it.of == of);
    anyhow::ensure!(is_there, "there is no weather of {of:?} to end");
    sky(app)?.end(&[of.to_owned()]).await?;
    Ok(format!("AWS: fair weather again for {of}."))
}

/// Ends all.
pub async fn fair(app: &App) -> anyhow::Result<String> {
    sky(app)?.end(&[]).await?;
    Ok("Fair weather.".to_owned())
}

async fn begin(app: &App, weather: Weather) -> anyhow::Result<String> {
    let said = format!("AWS: {weather}.");
    sky(app)?.begin(&[weather]).await?;
    Ok(said)
}

fn sky(app: &App) -> anyhow::Result<Sky<'_>> {
    app.sky().context("the weather of this account is its own")
}

fn number(seconds: &str) -> anyhow::Result<u64> {
    seconds.parse().context("the number of seconds")
}
