//! HTTP behaviour that all paths share.

use axum::{
    Router,
    body::{self, Body},
    http::{Request, StatusCode, header},
    response::Response,
};
use tower::ServiceExt as _;

use crate::test_account::TestAccount;

struct Site {
    router: axum::Router,
    _account: TestAccount,
}

impl Site {
    async fn start() -> Self {
        let account = TestAccount::start().await;
        let (app, _) = account.app(&account.aws);
        Self { router: crate::routes::router(app, Router::new()), _account: account }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }
}

#[tokio::test]
async fn an_unknown_path_is_a_404_with_a_problem_body() {
    let site = Site::start().await;
    for path in [
        "/orders/",
        "/orders/%FF",
        "/orders/%2e%2e",
        "/orders/0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f/x",
        "/orders/0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f",
        "/nothing",
    ] {
        let response = site.send("GET", path, &[]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        let media_type = &response.headers()[header::CONTENT_TYPE];
        assert_eq!(media_type, "application/problem+json", "{path}");
        assert_eq!(response.headers()[header::VARY], "accept", "{path}");
    }
}

#[tokio::test]
async fn a_method_that_is_not_allowed_is_a_405_with_an_allow_header() {
    let site = Site::start().await;
    for (method, path, allow) in [
        ("DELETE", "/", "GET,HEAD,POST"),
        ("DELETE", "/orders", "GET,HEAD,POST"),
        ("POST", "/orders/x", "GET,HEAD"),
    ] {
        let response = site.send(method, path, &[]).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(response.headers()[header::ALLOW], allow, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}

#[tokio::test]
async fn the_accept_header_selects_a_page_or_json() {
    let site = Site::start().await;
    for (accept, expected) in [
        ("text/html", "text/html; charset=utf-8"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("text/html, application/json;q=0", "text/html; charset=utf-8"),
        ("*/*", "application/problem+json"),
        ("text/html;q=0", "application/problem+json"),
        ("text/html;q=0, */*", "application/problem+json"),
        ("application/json, text/html;q=0.5", "application/problem+json"),
        ("not a media type", "application/problem+json"),
    ] {
        let response = site.send("GET", "/nothing", &[("accept", accept)]).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], expected, "{accept}");
    }
}

#[tokio::test]
async fn problems_of_what_only_programs_use_are_json_also_for_a_browser() {
    let site = Site::start().await;
    let (page, json) = ("text/html; charset=utf-8", "application/problem+json");
    for (method, path, expected) in [
        ("POST", "/orders", json),
        ("POST", "/webhooks/nobody", json),
        ("POST", "/nothing", page),
        ("GET", "/orders/x", page),
    ] {
        let response = site.send(method, path, &[("accept", "text/html")]).await;
        assert!(response.status().is_client_error(), "{method} {path}: {}", response.status());
        assert_eq!(response.headers()[header::CONTENT_TYPE], expected, "{method} {path}");
    }
}

#[tokio::test]
async fn head_is_like_get_without_a_body() {
    let site = Site::start().await;
    for path in ["/", "/ping"] {
        let response = site.send("HEAD", path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        let body = body::to_bytes(response.into_body(), usize::MAX).await;
        assert!(body.unwrap().is_empty());
    }
}
