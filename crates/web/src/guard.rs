//! What protects the pages: headers that browsers obey, and no forms from other sites.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::problem::Problem;

/// Everything on a page comes from here, nothing in it runs but our own files, and nobody frames it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'";

/// Adds the security headers to every response.
pub async fn add_security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Refuses what another site makes a browser send: an order would not be its customer's will.
pub async fn refuse_other_sites(request: Request, next: Next) -> Response {
    if request.method() == Method::POST && comes_from_another_site(request.headers()) {
        let detail = "This request was sent by a page of another site.";
        return Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    }
    next.run(request).await
}

/// Browsers say so in `Sec-Fetch-Site`, older ones only in `Origin`; programs say neither.
fn comes_from_another_site(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let origin = origin.parse::<Uri>().ok();
            let authority = origin.as_ref().and_then(Uri::authority).map(|it| it.as_str());
            authority.is_none() || authority != text(header::HOST)
        }
        (None, None) => false,
    }
}
