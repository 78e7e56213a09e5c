//! A site: its routes, within what protects every page, and its assets.

use axum::{
    Router,
    http::header,
    middleware::{from_fn_with_state, map_response},
    routing::{MethodRouter, get},
};

use crate::{
    Problem,
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
