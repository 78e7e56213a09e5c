//! A problem, as an RFC 9457 body for programs and a page for people.

use std::{collections::BTreeMap, error::Error, fmt::Display, iter};

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

#[cfg(test)]
mod tests;

/// When a client may retry after a temporary failure, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

const UNAVAILABLE: &str = "The service is temporarily unavailable.";

/// A problem.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The status of the response.
    pub status: StatusCode,
    /// A sentence that says what is wrong and what to do.
    pub detail: String,
    /// A sentence for each invalid field.
    errors: BTreeMap<&'static str, String>,
    /// Whether the request may have taken effect even so.
    is_uncertain: bool,
}

impl Problem {
    /// A problem with this status and this detail.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let (errors, is_uncertain) = (BTreeMap::new(), false);
        Self { status, detail: detail.into(), errors, is_uncertain }
    }

    /// There is nothing at this address.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing at this address. It may be incomplete.")
    }

    /// The address does not support the request's method.
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "This address does not support this method.")
    }

    /// Invalid fields: those that have an error.
    pub fn of_fields<const N: usize>(fields: [(&'static str, Option<String>); N]) -> Self {
        let errors = fields.into_iter().filter_map(|(name, error)| Some((name, error?)));
        let errors: BTreeMap<_, _> = errors.collect();
        let detail = errors.values().map(String::as_str).collect::<Vec<_>>().join(" ");
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// A body that axum could not read; it should have been `media_type`.
    pub fn of_body(status: StatusCode, error: &(dyn Error + 'static), media_type: &str) -> Self {
        let detail = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "The request body is too large.".to_owned(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => format!("Send this as {media_type}."),
            _ => format!("The request body cannot be read: {}.", cause(error)),
        };
        Self::new(status, detail)
    }

    /// An AWS request failed.
    pub fn unavailable(error: anyhow::Error) -> Self {
        tracing::error!(error = format!("{error:#}"), "an AWS request failed");
        let detail = format!("{UNAVAILABLE} Try again in a moment.");
        Self { is_uncertain: true, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// Too much `work` is under way, such as "orders". The request was refused before it had any
    /// effect.
    pub fn overloaded(work: &str) -> Self {
        let detail =
            format!("Too many {work} are under way. Nothing was changed; try again in a moment.");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Says whether it is safe to send the request again, if it is unknown whether the request took
    /// effect.
    pub fn advising(mut self, advice: &str) -> Self {
        if self.is_uncertain {
            self.detail = format!("{UNAVAILABLE} {advice}");
        }
        self
    }

    /// A fault of this program.
    pub fn internal(error: impl Display) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side.")
    }

    /// The headers that go with the problem.
    pub fn headers(&self) -> HeaderMap {
        let temporary = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
        let retry = temporary.contains(&self.status);
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
        }
        let body = Body {
            r#type: "about:blank",
            title: self.title(),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        };
        let media_type = [(header::CONTENT_TYPE, "application/problem+json")];
        (media_type, axum::Json(body)).into_response()
    }

    /// The standard phrase for the status.
    pub fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Problem")
    }
}

/// The root cause of an error; the errors around it are about axum. It may quote the request, so
/// control characters are replaced: a terminal would obey them.
fn cause(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(Some(error), |it| (*it).source());
    let cause = causes.last().unwrap_or(error).to_string();
    cause.replace(char::is_control, "\u{fffd}")
}

impl IntoResponse for Problem {
    /// The response has no body yet: `audience::negotiate_problems` chooses its format.
    fn into_response(self) -> Response {
        let mut response = (self.status, self.headers()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}
