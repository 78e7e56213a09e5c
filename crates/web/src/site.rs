//! A site: its routes, within what protects every page, its answers, and its assets.

use askama::Template;
use axum::{
    Json, Router,
    http::header,
    middleware::{from_fn_with_state, map_response},
    response::{Html, IntoResponse as _, Response},
    routing::{MethodRouter, get},
};
use serde::Serialize;

use crate::{
    Audience, Problem,
    audience::{ProblemFormat, negotiate_problems},
    guard,
};

/// Routes with security headers, without requests from other sites, and with problems as pages or
/// JSON, also for what there is not.
pub fn protected<S>(routes: Router<S>, problems: ProblemFormat) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    routes
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(guard::refuse_other_sites())
        .layer(from_fn_with_state(problems, negotiate_problems))
        .layer(map_response(guard::add_security_headers))
}

/// A text that is part of the program, such as a style sheet.
pub fn asset<S>(media_type: &'static str, text: &'static str) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let content_type = format!("{media_type}; charset=utf-8");
    get(move || async move { ([(header::CONTENT_TYPE, content_type)], text) })
}

/// A page for a browser, JSON for a program. Neither is cached without asking again.
///
/// # Errors
///
/// If the page cannot be rendered.
pub fn answer(audience: Audience, view: &(impl Template + Serialize)) -> Result<Response, Problem> {
    let body = match audience {
        Audience::Program => Json(view).into_response(),
        Audience::Browser => Html(view.render().map_err(Problem::internal)?).into_response(),
    };
    Ok(([(header::CACHE_CONTROL, "no-cache")], body).into_response())
}

/// A problem as a page.
pub fn problem_page(page: &impl Template) -> Response {
    page.render()
        .map_or_else(|error| Problem::internal(error).json(), |it| Html(it).into_response())
}
