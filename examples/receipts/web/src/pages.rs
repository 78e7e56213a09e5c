//! The pages, and the same as JSON.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
    middleware::from_fn,
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post, put},
};
use receipts::Verdict;
use serde::Serialize;
use uuid::Uuid;
use web::{Audience, Client, Problem, audience::ProblemFormat, body, live, site, spans::traced};

use crate::{
    app::App,
    receipt::{Receipt, View},
    upload,
};

type Id = Result<Path<Uuid>, PathRejection>;

/// Every page and every operation.
pub fn router(app: App) -> Router {
    let pages = Router::new()
        .route("/", get(form))
        .route("/receipts", get(list))
        .route("/receipts/{id}/events", get(events))
        .route("/receipts/{id}/picture", get(picture))
        .route("/receipts/{id}/cancel", post(cancel))
        .route("/assets/style.css", site::asset("text/css", include_str!("../assets/style.css")))
        .route("/assets/icon.svg", site::asset("image/svg+xml", include_str!("../assets/icon.svg")))
        .route("/assets/form.js", site::asset("text/javascript", include_str!("../assets/form.js")))
        .route(
            "/assets/receipt.js",
            site::asset("text/javascript", include_str!("../assets/receipt.js")),
        )
        .layer(from_fn(body::read));
    let all = Router::new()
        // Its body is a picture, which is not read into memory.
        .route("/receipts/{id}", put(upload::put).merge(get(show)))
        .merge(pages)
        .route_layer(from_fn(traced))
        // No span for the load balancer's health check, and no call of AWS.
        .route("/ping", get(|| async { "ok" }));
    let format = ProblemFormat { page: problem_page, programs_only: |_, _| false };
    site::protected(all, format).with_state(app)
}

async fn form() -> Result<Response, Problem> {
    let page = FormPage { id: Uuid::now_v7() }.render().map_err(Problem::internal)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Html(page)).into_response())
}

async fn list(State(app): State<App>, audience: Audience) -> Result<Response, Problem> {
    let receipts = app.receipts.latest().await.map_err(Problem::unavailable)?;
    site::answer(audience, &ListPage { receipts: receipts.iter().map(Receipt::view).collect() })
}

async fn show(State(app): State<App>, audience: Audience, id: Id) -> Result<Response, Problem> {
    site::answer(audience, &ReceiptPage { receipt: find(&app, id).await?.view() })
}

async fn events(
    State(app): State<App>,
    headers: HeaderMap,
    client: Client,
    id: Id,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| Problem::not_found())?;
    live::events(&app.live, id, &headers, client, Receipt::view).await
}

/// The picture, from S3 to the browser.
async fn picture(State(app): State<App>, id: Id) -> Result<Response, Problem> {
    let picture = find(&app, id).await?.stored.picture;
    let body = app.bucket.read(&picture).await.map_err(Problem::unavailable)?;
    let body = body.ok_or_else(Problem::not_found)?;
    let headers =
        [(header::CONTENT_TYPE, picture.media_type), (header::CACHE_CONTROL, "private".to_owned())];
    Ok((headers, body).into_response())
}

/// Ends a receipt that has no verdict yet, and deletes its picture, by which the scanner notices.
async fn cancel(State(app): State<App>, id: Id) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| Problem::not_found())?;
    let cancelled = app.receipts.cancel(id).await.map_err(Problem::unavailable)?;
    let receipt = match cancelled {
        Some(receipt) => receipt,
        None => find(&app, Ok(Path(id))).await?,
    };
    app.live.changed(&id, receipt.clone());
    if receipt.verdict != Some(Verdict::Cancelled) {
        let detail = "It is too late: the receipt has been scanned.";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    app.bucket.delete(&receipt.stored.picture).await.map_err(Problem::unavailable)?;
    Ok(Redirect::to(&format!("/receipts/{id}")).into_response())
}

async fn find(app: &App, id: Id) -> Result<Receipt, Problem> {
    let Path(id) = id.map_err(|_| Problem::not_found())?;
    let found = app.receipts.get(id).await.map_err(Problem::unavailable)?;
    found.ok_or_else(Problem::not_found)
}

#[derive(Template)]
#[template(path = "form.html")]
struct FormPage {
    id: Uuid,
}

#[derive(Template, Serialize)]
#[template(path = "list.html")]
struct ListPage {
    receipts: Vec<View>,
}

#[derive(Template, Serialize)]
#[template(path = "receipt.html")]
struct ReceiptPage {
    #[serde(flatten)]
    receipt: View,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    problem: &'a Problem,
}

fn problem_page(problem: &Problem) -> Response {
    site::problem_page(&ProblemPage { problem })
}
