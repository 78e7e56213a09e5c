//! Requests as browsers and programs send them, to a router that is guarded.

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode},
    middleware::map_response,
    routing::any,
};
use tower::ServiceExt as _;

use super::{add_security_headers, refuse_other_sites};

async fn check(method: Method, headers: &[(&str, &str)], expected: StatusCode) {
    let router = Router::new()
        .route("/", any(|| async {}))
        .layer(refuse_other_sites())
        .layer(map_response(add_security_headers));
    let mut request = Request::builder().method(method).uri("/").header("host", "shop:5000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), expected, "{headers:?}");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert!(response.headers().contains_key("content-security-policy"));
}

#[tokio::test]
async fn requests_of_this_site_and_of_programs_pass() {
    for headers in [
        [].as_slice(),
        &[("sec-fetch-site", "same-origin")],
        // The address was typed, or comes from a bookmark.
        &[("sec-fetch-site", "none")],
        &[("origin", "http://shop:5000")],
        // A proxy that ends TLS may change the host; the `Sec-Fetch-Site` counts.
        &[("sec-fetch-site", "same-origin"), ("origin", "https://shop.example")],
    ] {
        check(Method::POST, headers, StatusCode::OK).await;
    }
}

#[tokio::test]
async fn requests_of_other_sites_are_refused_unless_they_only_read() {
    for headers in [
        [("sec-fetch-site", "cross-site")].as_slice(),
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "http://shop:5000")],
        &[("origin", "http://evil.example")],
        &[("origin", "http://shop:8080")],
        &[("origin", "null")],
    ] {
        check(Method::POST, headers, StatusCode::FORBIDDEN).await;
        check(Method::GET, headers, StatusCode::OK).await;
    }
}
