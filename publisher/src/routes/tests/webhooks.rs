//! Webhooks, behind everything that protects the other routes.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::Value;

use super::site::{Answer, Site};

const PATH: &str = "/webhooks/payments";

async fn post(site: &Site, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let mut request = Request::post(PATH).header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    site.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_problem_of_a_webhook_is_json_even_for_a_browser_and_a_large_one_is_refused() {
    let site = Site::start().await;
    let html = ("accept", "text/html");
    for (headers, bytes, status, says) in [
        (vec![], 2, StatusCode::BAD_REQUEST, "webhook-id is needed"),
        (vec![html], 2, StatusCode::BAD_REQUEST, "webhook-id is needed"),
        (vec![html], 16 * 1024, StatusCode::BAD_REQUEST, "webhook-id is needed"),
        (vec![html], 16 * 1024 + 1, StatusCode::PAYLOAD_TOO_LARGE, "too large"),
        (vec![("sec-fetch-site", "cross-site")], 2, StatusCode::FORBIDDEN, "another site"),
    ] {
        let answer = post(&site, &headers, vec![b' '; bytes]).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    let read = site.page(PATH).await;
    assert_eq!(read.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(read.headers[header::ALLOW], "POST");
}
