//! Who sent a request: a person's browser or a program. This decides the format of the response.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use headers_accept::Accept;
use mediatype::{
    MediaType,
    names::{APPLICATION, HTML, JSON, TEXT},
};

use crate::problem::Problem;

/// Who sent a request, by its `Accept` header.
///
/// A browser names `text/html`. A client that accepts anything, or sends no `Accept`, is a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Wants pages.
    Browser,
    /// Wants JSON.
    Program,
}

impl Audience {
    fn of(headers: &HeaderMap) -> Self {
        static AVAILABLE: [MediaType<'static>; 2] =
            [MediaType::new(APPLICATION, JSON), MediaType::new(TEXT, HTML)];
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let accept = accept.and_then(|value| value.parse::<Accept>().ok());
        let chosen = accept.as_ref().and_then(|accept| accept.negotiate(&AVAILABLE));
        match chosen {
            Some(media_type) if media_type.subty == HTML => Self::Browser,
            _ => Self::Program,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Audience {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// How problems are presented.
#[derive(Clone, Debug)]
pub struct ProblemFormat {
    /// Renders a problem as a page.
    pub page: fn(&Problem) -> Response,
    /// An operation that only programs use: its problems are JSON, whatever `Accept` says.
    pub programs_only: (Method, &'static str),
}

/// Turns a [`Problem`] into a page for a browser and into JSON for a program.
pub async fn negotiate_problems(
    State(format): State<ProblemFormat>,
    request: Request,
    next: Next,
) -> Response {
    let (method, path) = format.programs_only;
    let api = *request.method() == method && request.uri().path() == path;
    let audience = if api { Audience::Program } else { Audience::of(request.headers()) };
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let body = match audience {
            Audience::Browser => (format.page)(&problem),
            Audience::Program => problem.json(),
        };
        let mut negotiated = (response.status(), body).into_response();
        // Headers that came with the problem stay, such as `Allow`.
        for (name, value) in response.headers() {
            if !matches!(*name, header::CONTENT_TYPE | header::CONTENT_LENGTH) {
                negotiated.headers_mut().append(name, value.clone());
            }
        }
        response = negotiated;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    response
}
