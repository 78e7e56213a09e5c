//! Who asked: a person's browser, or a program. It decides the form of what is answered.

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

/// Who asked, by the header `Accept`.
///
/// A browser names `text/html`; whoever takes anything, or does not say, is a program.
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

/// How problems are told.
#[derive(Clone, Debug)]
pub struct Telling {
    /// Makes a page of a problem.
    pub page: fn(&Problem) -> Response,
    /// Where only programs send this, whatever they accept.
    pub programs_only: (Method, &'static str),
}

/// Tells a [`Problem`] in the form that the one who asked reads.
pub async fn tell_problems(
    State(telling): State<Telling>,
    request: Request,
    next: Next,
) -> Response {
    let (method, path) = telling.programs_only;
    let api = *request.method() == method && request.uri().path() == path;
    let audience = if api { Audience::Program } else { Audience::of(request.headers()) };
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let told = match audience {
            Audience::Browser => (telling.page)(&problem),
            Audience::Program => problem.json(),
        };
        // Headers that the problem brought with it stay, such as `Allow`.
        let mut told = (response.status(), told).into_response();
        for (name, value) in response.headers() {
            if !matches!(*name, header::CONTENT_TYPE | header::CONTENT_LENGTH) {
                told.headers_mut().append(name, value.clone());
            }
        }
        response = told;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    response
}
