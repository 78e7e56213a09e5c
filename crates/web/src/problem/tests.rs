//! Problems as browsers and programs receive them.

use axum::{
    Router,
    body::{self, Body},
    http::{Method, Request, StatusCode, header},
    middleware::from_fn_with_state,
    response::{Html, IntoResponse as _, Response},
    routing::{get, post},
};
use tower::ServiceExt as _;

use super::Problem;
use crate::audience::{ProblemFormat, negotiate_problems};

const HTML: &str = "text/html";
const JSON: &str = "application/problem+json";

/// A site whose API is `POST /api`. Every address has a problem.
fn site() -> Router {
    let page = |problem: &Problem| Html(format!("<p>{}", problem.detail)).into_response();
    let format = ProblemFormat {
        page,
        programs_only: |method, path| (method.as_str(), path) == ("POST", "/api"),
    };
    let unavailable = || async { Problem::unavailable(anyhow::anyhow!("no table")) };
    let invalid = || async {
        let total = Some("A total is more than 0.".to_owned());
        Problem::of_fields([("customer", None), ("total", total)])
    };
    Router::new()
        .route("/api", get(invalid).post(invalid))
        .route("/form", post(invalid))
        .route("/broken", get(unavailable))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(from_fn_with_state(format, negotiate_problems))
}

async fn send(method: Method, path: &str, accept: &str) -> Response {
    let request = Request::builder().method(method).uri(path).header(header::ACCEPT, accept);
    site().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response) -> String {
    let body = body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_program_gets_a_body_that_says_everything() {
    let invalid = send(Method::POST, "/api", "*/*").await;
    assert_eq!(invalid.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(invalid.headers()[header::CONTENT_TYPE], JSON);
    assert_eq!(invalid.headers()[header::VARY], "accept");
    assert_eq!(
        text(invalid).await,
        r#"{"type":"about:blank","title":"Unprocessable Entity","status":422,"#.to_owned()
            + r#""detail":"A total is more than 0.","errors":{"total":"A total is more than 0."}}"#
    );

    let taken = Problem::new(StatusCode::CONFLICT, "It is taken.");
    let expected = r#""status":409,"detail":"It is taken."}"#;
    let taken = text(taken.json()).await;
    assert!(taken.ends_with(expected), "{taken}");
}

#[tokio::test]
async fn a_browser_gets_a_page_and_the_api_answers_everybody_as_a_program() {
    for (method, path, accept, media_type) in [
        (Method::GET, "/missing", HTML, "text/html; charset=utf-8"),
        (Method::GET, "/missing", "*/*", JSON),
        (Method::POST, "/form", HTML, "text/html; charset=utf-8"),
        (Method::GET, "/api", HTML, "text/html; charset=utf-8"),
        (Method::POST, "/api", HTML, JSON),
    ] {
        let response = send(method.clone(), path, accept).await;
        let types: Vec<_> = response.headers().get_all(header::CONTENT_TYPE).iter().collect();
        assert_eq!(types, [media_type], "{method} {path} for {accept}");
    }
    let page = text(send(Method::GET, "/missing", HTML).await).await;
    assert!(page.starts_with("<p>There is nothing at this address."), "{page}");
}

#[tokio::test]
async fn headers_of_a_problem_reach_a_browser_too() {
    let refused = send(Method::DELETE, "/form", HTML).await;
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()[header::ALLOW], "POST");
    let lengths = refused.headers().get_all(header::CONTENT_LENGTH).iter().count();
    assert!(lengths <= 1, "{lengths} lengths");
}

#[tokio::test]
async fn only_a_temporary_problem_may_be_retried() {
    for accept in [HTML, "*/*"] {
        let broken = send(Method::GET, "/broken", accept).await;
        assert_eq!(broken.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(broken.headers()[header::RETRY_AFTER], "5");
        let missing = send(Method::GET, "/missing", accept).await;
        assert!(!missing.headers().contains_key(header::RETRY_AFTER));
    }
    let broken = Problem::unavailable(anyhow::anyhow!("no table")).advising("Sending is safe.");
    assert_eq!(broken.detail, "The service is temporarily unavailable. Sending is safe.");
    for certain in [Problem::not_found(), Problem::overloaded("orders")] {
        assert_eq!(certain.clone().advising("Sending is safe.").detail, certain.detail);
    }
}

#[test]
fn a_body_that_cannot_be_read_is_explained_without_what_a_terminal_would_obey() {
    let source = std::io::Error::other("expected \u{1b}[31mvalue");
    let error = anyhow::Error::from(source).context("axum's own words");
    for (status, expected) in [
        (StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large."),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send this as application/json."),
        (StatusCode::BAD_REQUEST, "The request body cannot be read: expected \u{fffd}[31mvalue."),
    ] {
        let problem = Problem::of_body(status, error.as_ref(), "application/json");
        assert_eq!((problem.status, problem.detail.as_str()), (status, expected));
    }
}
