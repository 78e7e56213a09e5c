//! What protects the pages: security headers on every response, and no requests from other sites.

use axum::{
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::problem::Problem;

#[cfg(test)]
mod tests;

const SECURITY_HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Pages load only from this host, run only scripts that are files, and cannot be framed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'";

/// Adds the security headers to a response.
pub async fn add_security_headers(response: Response) -> impl IntoResponse {
    (SECURITY_HEADERS, response)
}

/// Refuses a request that a page of another site made a browser send: its user did not mean to.
///
/// Browsers send `Sec-Fetch-Site`, older ones only `Origin`. Programs send neither and pass, and so
/// do GET, HEAD and OPTIONS, which change nothing.
pub fn refuse_other_sites() -> CsrfLayer<fn(ProtectionError) -> Response> {
    CsrfLayer::new().with_rejection_response(|_| {
        let detail = "This request was sent by a page of another site.";
        Problem::new(StatusCode::FORBIDDEN, detail).into_response()
    })
}
