//! The picture of the publisher's page `/flow`.

use anyhow::Context as _;
use askama::Template;

use super::part::{Main, made};
use crate::app::App;

#[derive(Template)]
#[template(path = "flow.html")]
struct Page {
    /// The picture, if there is a publisher.
    picture: Option<String>,
}

pub async fn main(app: &App) -> anyhow::Result<Main> {
    let Some(page) = &app.sources.page else { return made("Flow", &Page { picture: None }) };
    let (status, html) =
        app.http.ask("GET", &format!("{page}/flow"), "text/html", String::new()).await?;
    anyhow::ensure!(status.is_success(), "the publisher answers {status}");
    let picture = html.find("<svg").zip(html.rfind("</svg>"));
    let picture = picture.and_then(|(from, to)| html.get(from..to)).context("it has no picture")?;
    made("Flow", &Page { picture: Some(format!("{picture}</svg>")) })
}
