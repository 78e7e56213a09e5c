//! Serves the pages: whole, or as a stream of their changes.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{from_fn, from_fn_with_state, map_response},
    response::{
        Html, IntoResponse as _, Redirect, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{MethodRouter, get, post},
};
use futures_util::{StreamExt as _, stream};
use pubsub::env::Misconfigured;
use tokio::{net::TcpListener, time::sleep};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use web::{Problem, body, guard};

use crate::{
    acts,
    app::{App, Choices, Sources},
    here::{HERE, of_this_machine},
    pages::{self, Main},
};

/// How often a page is made again while somebody looks at it.
const EVERY: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A port that a console is going to serve.
#[derive(Debug)]
pub struct Port {
    /// The URL of the console, for a browser on this machine.
    pub url: String,
    listener: TcpListener,
}

/// A running console. It stops when it is dropped.
#[derive(Debug)]
pub struct Console {
    /// Its URL.
    pub url: String,
    _serving: AbortOnDropHandle<()>,
}

impl Port {
    /// Takes a port; with 0 the system picks a free one.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if it cannot be used.
    pub async fn take(host: IpAddr, port: u16) -> anyhow::Result<Self> {
        let address = SocketAddr::new(host, port);
        let listener = TcpListener::bind(address).await;
        let refused = |error| Misconfigured(format!("the console cannot use {address}: {error}"));
        let listener = listener.map_err(refused)?;
        let port = listener.local_addr().context("reading the port")?.port();
        Ok(Self { url: format!("http://127.0.0.1:{port}"), listener })
    }
}

impl Console {
    /// Starts it.
    pub async fn start(port: Port, sources: Sources) -> Self {
        let router = router(App::new(sources).await);
        let never = CancellationToken::new();
        let serving = web::serve::serve(port.listener, router, 0, never, Duration::ZERO);
        let serving = AbortOnDropHandle::new(tokio::spawn(serving));
        Self { url: port.url, _serving: serving }
    }
}

/// Every page and every action.
fn router(app: App) -> Router {
    Router::new()
        .route("/", get(first))
        .route("/{*page}", get(show))
        .route("/act/{name}", post(acts::act))
        .route("/assets/style.css", asset("text/css", include_str!("../assets/style.css")))
        .route("/assets/icon.svg", asset("image/svg+xml", include_str!("../assets/icon.svg")))
        .route("/assets/live.js", asset("text/javascript", include_str!("../assets/live.js")))
        .layer(from_fn(body::read))
        .layer(guard::refuse_other_sites())
        .layer(from_fn_with_state(HERE[0].into(), of_this_machine))
        .layer(map_response(guard::add_security_headers))
        .with_state(app)
}

/// The first page that has something.
async fn first(State(app): State<App>) -> Redirect {
    let has_services = app.sources.processes.is_some();
    Redirect::to(if has_services { "/services" } else { "/messages" })
}

fn asset(media_type: &'static str, text: &'static str) -> MethodRouter<App> {
    let content_type = format!("{media_type}; charset=utf-8");
    get(move || async move { ([(header::CONTENT_TYPE, content_type)], text) })
}

/// A page, or the stream of its changes.
async fn show(
    State(app): State<App>,
    Path(path): Path<String>,
    Query(choices): Query<Choices>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok());
    if accept.is_some_and(|it| it.contains("text/event-stream")) {
        return Ok(changes(app, path, choices).into_response());
    }
    let main = main_of(&app, &path, &choices).await;
    let section = path.split('/').next().unwrap_or_default();
    let html = pages::whole(&app, section, &main);
    let html = html.map_err(|error| Problem::internal(error).into_response())?;
    Ok((main.status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response())
}

/// The main part of a page, or of one that says why there is none.
async fn main_of(app: &App, path: &str, choices: &Choices) -> Main {
    let main = pages::main(app, path, choices).await;
    main.unwrap_or_else(|error| {
        pages::problem(StatusCode::SERVICE_UNAVAILABLE, &format!("{error:#}"))
    })
}

/// The main part of a page whenever it has changed.
fn changes(app: App, path: String, choices: Choices) -> Response {
    let made = stream::unfold((app, path, choices, String::new()), |state| async move {
        let (app, path, choices, before) = state;
        let mut html = before.clone();
        while html == before {
            sleep(EVERY).await;
            html = main_of(&app, &path, &choices).await.html;
        }
        Some((html.clone(), (app, path, choices, html)))
    });
    let events = made.map(|html| {
        let event = Event::default().json_data(&html).unwrap_or_default();
        Ok::<_, Infallible>(event)
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let uncached = [(header::CACHE_CONTROL, "no-cache, no-transform")];
    (uncached, Sse::new(events).keep_alive(keep_alive)).into_response()
}

#[cfg(test)]
mod tests;
