//! Who may ask, and who may change something.

use std::{path::Path, time::SystemTime};

use account::embedded::EmbeddedAccount;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use tower::ServiceExt as _;

use super::router;
use crate::{
    app::{App, Sources},
    logs::Logs,
    spans::{Span, Spans},
};

const HERE: &str = "localhost:5050";

/// A console that has received one trace, `t`.
async fn console() -> (Router, String, EmbeddedAccount) {
    console_of(Some(Logs::default()), trace()).await
}

async fn console_of(logs: Option<Logs>, spans: Spans) -> (Router, String, EmbeddedAccount) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
    let aws = EmbeddedAccount::of_files(&directory).await.unwrap();
    let app = App::new(Sources {
        account: aws.account.clone(),
        target: aws.target.clone(),
        ledger: Some(aws.endpoint.ledger()),
        weather: None,
        page: None,
        page_in_browser: None,
        processes: None,
        logs,
        spans: Some(spans),
    });
    let app = app.await;
    let token = app.token.clone();
    (router(app), token, aws)
}

fn trace() -> Spans {
    let spans = Spans::default();
    spans.push("t", span());
    spans
}

fn span() -> Span {
    Span {
        service: "publisher".to_owned(),
        name: "POST /orders".to_owned(),
        id: "1".to_owned(),
        parent: String::new(),
        nanos: [1, 2],
        failed: false,
        attributes: Vec::new(),
    }
}

async fn ask(console: &Router, request: Request<Body>) -> (StatusCode, String) {
    let answer = console.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", HERE).body(Body::empty()).unwrap()
}

fn unknown(host: &str, token: &str) -> axum::http::request::Builder {
    Request::post(format!("/act/unknown?{token}")).header("host", host)
}

fn form(request: axum::http::request::Builder, token: &str) -> Request<Body> {
    typed(request, format!("token={token}"))
}

fn typed(request: axum::http::request::Builder, fields: String) -> Request<Body> {
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.header("accept", "text/plain").body(fields.into()).unwrap()
}

#[tokio::test]
async fn only_requests_that_name_this_machine_are_answered() {
    let (console, _token, _aws) = console().await;
    for (host, expected) in [
        ("localhost:5050", StatusCode::OK),
        ("127.0.0.1:5050", StatusCode::OK),
        ("[::1]:5050", StatusCode::OK),
        ("localhost", StatusCode::OK),
        ("console.example:5050", StatusCode::FORBIDDEN),
        ("localhost.example", StatusCode::FORBIDDEN),
        ("", StatusCode::FORBIDDEN),
    ] {
        let get = Request::get("/services").header("host", host).body(Body::empty()).unwrap();
        assert_eq!(ask(&console, get).await.0, expected, "{host}");
    }
}

#[tokio::test]
async fn an_action_needs_the_token_of_a_page_and_no_other_site_may_ask_for_it() {
    let (console, token, _aws) = console().await;
    let (status, text) = ask(&console, form(unknown(HERE, ""), "guessed")).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
    let of_other_site = unknown(HERE, "").header("origin", "http://localhost:8000");
    assert_eq!(ask(&console, form(of_other_site, &token)).await.0, StatusCode::FORBIDDEN);
    let of_other_site = unknown(HERE, "").header("sec-fetch-site", "cross-site");
    assert_eq!(ask(&console, form(of_other_site, &token)).await.0, StatusCode::FORBIDDEN);
    let (status, text) = ask(&console, form(unknown(HERE, ""), &token)).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(ask(&console, get("/act/unknown")).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn each_page_works_without_services_and_has_a_strict_policy() {
    let (console, _token, _aws) = console().await;
    for page in ["services", "logs", "messages", "traffic", "weather", "traces", "tables", "flow"] {
        let answer = console.clone().oneshot(get(&format!("/{page}"))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{page}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
    assert_eq!(ask(&console, get("/nothing")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_queue_table_or_index_that_nobody_has_is_not_found() {
    let (console, _token, _aws) = console().await;
    let orders = "pubsub-test-publisher-ordersTable";
    for (path, sentence) in [
        ("/messages/nope".to_owned(), "There is no queue nope.".to_owned()),
        ("/tables?table=nope".to_owned(), "There is no table nope.".to_owned()),
        (format!("/tables?table={orders}&index=nope"), format!("{orders} has no index nope.")),
    ] {
        let (status, html) = ask(&console, get(&path)).await;
        assert!(status == StatusCode::NOT_FOUND && html.contains(&sentence), "{status}: {html}");
    }
    for path in ["/messages/pubsub-test-promotion-EventsQueue", &format!("/tables?table={orders}")]
    {
        assert_eq!(ask(&console, get(path)).await.0, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_subscription_leads_to_the_queue_for_what_is_refused() {
    let (console, _token, _aws) = console().await;
    let (_, html) = ask(&console, get("/messages")).await;
    let of = |name: &str| format!("<a href=\"/messages/pubsub-test-{name}\">");
    let topics = html.split("<h2>Topics</h2>").nth(1).unwrap();
    for (queue, undelivered) in [
        ("promotion-EventsQueue", "promotion-UndeliveredQueue"),
        ("publisher-statusQueue", "publisher-statusDeadLetters"),
    ] {
        let subscription = topics.split("<li>to ").find(|it| it.starts_with(&of(queue))).unwrap();
        let refused = format!("; what the queue refuses goes to {}", of(undelivered));
        assert!(subscription.contains(&refused), "{subscription}");
    }
}

#[tokio::test]
async fn a_way_to_fail_that_the_page_does_not_have_is_not_offered_either() {
    let (console, token, _aws) = console().await;
    let fields = format!("token={token}&of=SNS&how=refused&seconds=1");
    let act = Request::post("/act/weather").header("host", HERE);
    let (status, text) = ask(&console, typed(act, fields)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{text}");
    assert!(text.starts_with("\"refused\" is none of 5xx, throttled, "), "{text}");
    assert!(!text.ends_with("refused") && !text.contains("refused,"), "{text}");
}

#[tokio::test]
async fn where_services_are_containers_the_console_begins_elsewhere_and_says_what_shows_them() {
    let (without_logs, _token, _aws) = console_of(None, trace()).await;
    let first = without_logs.clone().oneshot(get("/")).await.unwrap();
    assert_eq!(first.headers()["location"], "/messages");
    for (page, command) in [("/services", "docker compose ps"), ("/logs", "docker compose logs")] {
        let (status, html) = ask(&without_logs, get(page)).await;
        assert!(status == StatusCode::OK && html.contains(command), "{html}");
    }
    let (_, trace) = ask(&without_logs, get("/traces/t")).await;
    assert!(trace.contains("POST /orders") && !trace.contains("/logs?"), "{trace}");
    let (console, _token, _aws) = console().await;
    assert!(ask(&console, get("/traces/t")).await.1.contains("/logs?trace=t"));
}

#[tokio::test]
async fn who_looks_at_an_order_later_does_not_change_its_waterfall() {
    let spans = Spans::default();
    let (console, _token, aws) = console_of(None, spans.clone()).await;
    let publisher = aws.account.service("publisher").unwrap();
    let dynamodb = aws_sdk_dynamodb::Client::new(&aws.target.config_of(publisher).await);
    let look = async || {
        let key = aws_sdk_dynamodb::types::AttributeValue::S("the-order".to_owned());
        let get = dynamodb.get_item().table_name(publisher.variable("ORDERS_TABLE_NAME").unwrap());
        get.key("id", key).send().await.unwrap();
    };
    let waterfall = async || ask(&console, get("/traces/the-order")).await.1;
    look().await;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let now = u64::try_from(now.as_nanos()).unwrap();
    let order = vec![("order.id".to_owned(), "the-order".to_owned())];
    spans.push("u", Span { nanos: [now - 1_000_000_000, now], attributes: order, ..span() });
    let before = waterfall().await;
    assert_eq!(before.matches("DynamoDB.GetItem").count(), 1, "{before}");
    look().await;
    assert_eq!(waterfall().await, before);
}
