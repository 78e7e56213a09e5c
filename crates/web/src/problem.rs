//! What went wrong, told to the one who asked: RFC 9457 for programs, a page for people.

use std::{collections::BTreeMap, error::Error, fmt::Display, iter};

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// When a request that failed for a while is worth sending again, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// One problem.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The status of the response.
    pub status: StatusCode,
    /// A sentence that says what is wrong, and what to do.
    pub detail: String,
    /// A sentence for each field that is wrong.
    errors: BTreeMap<&'static str, String>,
    /// Where to go on from here, if there is a better place than the front page.
    pub see: Option<String>,
}

impl Problem {
    /// A problem with this status and this sentence.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: BTreeMap::new(), see: None }
    }

    /// Nothing has this address.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing here; maybe the address is incomplete.")
    }

    /// The address does not answer this method.
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "This address does not answer that method.")
    }

    /// Fields whose content is wrong.
    pub fn of_fields<const N: usize>(fields: [(&'static str, Option<String>); N]) -> Self {
        let errors = fields.into_iter().filter_map(|(name, error)| Some((name, error?)));
        let errors: BTreeMap<_, _> = errors.collect();
        let detail = errors.values().map(String::as_str).collect::<Vec<_>>().join(" ");
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// A body that the framework could not read.
    pub fn of_body(status: StatusCode, error: &(dyn Error + 'static), media_type: &str) -> Self {
        let detail = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "That is too large.".to_owned(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => format!("This is to be sent as {media_type}."),
            _ => format!("What was sent cannot be read: {}.", cause(error)),
        };
        Self::new(status, detail)
    }

    /// AWS does not answer, or not with what was asked.
    pub fn out_of_reach(error: anyhow::Error) -> Self {
        tracing::error!(error = format!("{error:#}"), "AWS is out of reach");
        let detail = "We cannot reach our books right now. Try again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Adds what the sender of an order should know before sending it again, if this is a problem
    /// that may pass: whether the order was stored is open then.
    pub fn advising(mut self, advice: &str) -> Self {
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            self.detail = format!("We cannot reach our books right now. {advice}");
        }
        self
    }

    /// A mistake of ours.
    pub fn internal(error: impl Display) -> Self {
        tracing::error!(%error, "a mistake of this program");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side.")
    }

    /// The headers that go with the problem.
    pub fn headers(&self) -> HeaderMap {
        let retry = self.status == StatusCode::SERVICE_UNAVAILABLE;
        retry.then_some((header::RETRY_AFTER, RETRY_AFTER_SECONDS)).into_iter().collect()
    }

    /// The problem as `application/problem+json`.
    pub fn json(&self) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            r#type: &'static str,
            title: &'a str,
            status: u16,
            detail: &'a str,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            errors: &'a BTreeMap<&'static str, String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            see: &'a Option<String>,
        }
        let body = Body {
            r#type: "about:blank",
            title: self.title(),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
            see: &self.see,
        };
        let media_type = [(header::CONTENT_TYPE, "application/problem+json")];
        (media_type, axum::Json(body)).into_response()
    }

    /// The problem in two or three words.
    pub fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Problem")
    }
}

/// What an error comes from; the rest is about the program that found it. It may quote what was
/// sent, which has no control characters then: a terminal would obey them.
fn cause(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(Some(error), |it| (*it).source());
    let cause = causes.last().unwrap_or(error).to_string();
    cause.replace(char::is_control, "\u{fffd}")
}

impl IntoResponse for Problem {
    /// Leaves the form open: `audience::tell_problems` knows who asked.
    fn into_response(self) -> Response {
        let mut response = (self.status, self.headers()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}
