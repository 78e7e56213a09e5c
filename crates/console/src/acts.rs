//! What a person does on the pages.

use anyhow::{Context as _, bail};
use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};
use web::Problem;

use crate::{
    app::{App, Choices},
    pages,
    processes::Action,
};

mod letters;

mod send;

mod weather;

/// `POST /act/{name}`: does something, and answers with what became of it: a sentence for a script,
/// and a page for a browser without one.
pub async fn act(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Form(typed): Form<Choices>,
) -> Response {
    if typed.get("token") != Some(&app.token) {
        let detail = "This page is older than the console: load it again.";
        return (StatusCode::FORBIDDEN, detail).into_response();
    }
    let (status, text) = match done(&app, &name, &typed).await {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{error:#}")),
    };
    tracing::info!(action = name, result = text, "the console was used");
    let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if accept.contains("text/plain") {
        return (status, text).into_response();
    }
    let section = typed.get("from").map_or("services", String::as_str);
    let page = pages::outcome(&text, section).and_then(|main| pages::whole(&app, section, &main));
    match page {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => Problem::internal(error).into_response(),
    }
}

async fn done(app: &App, name: &str, typed: &Choices) -> anyhow::Result<String> {
    let field = |name: &str| {
        let value = typed.get(name).map(|it| it.trim().to_owned());
        value.filter(|it| !it.is_empty()).with_context(|| format!("{name} is missing"))
    };
    let action = match name {
        "kill" => Action::Kill(field("task")?),
        "stop" => Action::Stop(field("task")?),
        "freeze" => Action::Freeze(field("task")?),
        "continue" => Action::Continue(field("task")?),
        "start" => Action::Start(field("task")?),
        "scale" => {
            let count = field("count")?.parse().context("the number of processes")?;
            Action::Scale { service: field("service")?, count }
        }
        "redrive" => return letters::redrive(app, &field("queue")?).await,
        "purge" => return letters::purge(app, &field("queue")?).await,
        "weather" => {
            return weather::fail(app, &field("of")?, &field("how")?, &field("seconds")?).await;
        }
        "twice" => return weather::twice(app, &field("percent")?, &field("seconds")?).await,
        "end" => return weather::end(app, &field("of")?).await,
        "fair" => return weather::fair(app).await,
        "rate" => return send::rate(app, &field("rate")?),
        "burst" => return send::burst(app, &field("count")?),
        "below" => return send::order(app, "79.99").await,
        "above" => return send::order(app, "80").await,
        "poison" => return send::poison(app, &field("service")?).await,
        "duplicate" => return send::duplicate(app).await,
        "unknown" => return send::unknown(app).await,
        _ => bail!("the console cannot {name}"),
    };
    let processes = app.sources.processes.as_ref();
    processes.context("the services are not processes of this program")?.wish(action).await
}
