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
    MediaType, MediaTypeList,
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
        let accept = accept(headers);
        let chosen = accept.as_ref().and_then(|accept| accept.negotiate(&AVAILABLE));
        match chosen {
            Some(media_type) if media_type.subty == HTML => Self::Browser,
            _ => Self::Program,
        }
    }
}

/// Several `Accept` lines are one list ([RFC 9110, 5.3]). Elements that cannot be parsed are
/// ignored.
///
/// [RFC 9110, 5.3]: https://www.rfc-editor.org/rfc/rfc9110.html#section-5.3
fn accept(headers: &HeaderMap) -> Option<Accept> {
    let lines = headers.get_all(header::ACCEPT).iter();
    let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    let list = lines.join(",");
    let valid: Vec<_> = MediaTypeList::new(&list).flatten().map(|it| it.to_string()).collect();
    valid.join(",").parse().ok()
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
    /// Whether only programs use an operation, by its method and path: then its problems are JSON,
    /// whatever `Accept` says.
    pub programs_only: fn(&Method, &str) -> bool,
}

/// Turns a [`Problem`] into a page for a browser and into JSON for a program.
pub async fn negotiate_problems(
    State(format): State<ProblemFormat>,
    request: Request,
    next: Next,
) -> Response {
    let api = (format.programs_only)(request.method(), request.uri().path());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&[u8]], expected: Audience) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::ACCEPT, HeaderValue::from_bytes(line).unwrap());
        }
        let shown: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        assert_eq!(Audience::of(&headers), expected, "{shown:?}");
    }

    #[test]
    fn a_browser_names_html_and_every_other_client_is_a_program() {
        check(&[b"text/html"], Audience::Browser);
        check(&[b"text/html,application/xhtml+xml,*/*;q=0.8"], Audience::Browser);
        check(&[b"text/html , application/json;q=0"], Audience::Browser);
        check(&[], Audience::Program);
        check(&[b""], Audience::Program);
        check(&[b"*/*"], Audience::Program);
        check(&[b"text/html;q=0, */*"], Audience::Program);
        check(&[b"application/json, text/html;q=0.5"], Audience::Program);
    }

    #[test]
    fn several_lines_are_one_list() {
        check(&[b"application/xml", b"text/html"], Audience::Browser);
        check(&[b"text/html", b"application/xml"], Audience::Browser);
        check(&[b"text/html;q=0.5", b"application/json"], Audience::Program);
        check(&[b"*/*", b"text/html;q=0"], Audience::Program);
    }

    #[test]
    fn an_element_that_cannot_be_parsed_is_ignored() {
        check(&[b"text/html, garbage"], Audience::Browser);
        check(&[b"garbage, text/html"], Audience::Browser);
        check(&[b",, text/html ,"], Audience::Browser);
        check(&[b"text/html, \xff\xfe, /, a/, \"x"], Audience::Browser);
        check(&[b"\xff", b"text/html"], Audience::Browser);
        check(&[b"garbage"], Audience::Program);
    }
}
