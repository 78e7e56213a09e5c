//! An order's progress: reports that are projected, and what its page and its stream show.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use jiff::{SignedDuration, Timestamp};
use orders::{
    order::OrderId,
    report::{Attachment, Report, State, Step},
};
use pubsub::{notification::Notification, replay::CAUSED};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt as _;
use web::Client;

use super::site::Site;
use crate::routes;

pub async fn place(site: &Site) -> OrderId {
    let created = site.post(None, &json!({ "customer": "Ada", "amount": "42" })).await.body;
    let created: Value = serde_json::from_str(&created).unwrap();
    serde_json::from_value(created["id"].clone()).unwrap()
}

fn report(order_id: OrderId, attempt: u32, state: State, steps: &[(&str, Timestamp)]) -> Report {
    let steps = steps.iter().map(|(name, at)| Step { name: (*name).to_owned(), at: *at });
    let service = "fulfilment".to_owned();
    Report { order_id, service, attempt, state, steps: steps.collect(), attachments: Vec::new() }
}

async fn project(site: &Site, report: Report) {
    let news = Notification::default();
    site.account.projection(&site.app).project(report, news).await.unwrap();
}

#[tokio::test]
async fn a_replay_changes_nothing_for_a_service_that_was_done_and_lets_another_catch_up() {
    let site = Site::start().await;
    let id = place(&site).await;
    let (at, later) = (Timestamp::now(), Timestamp::now() + Duration::from_secs(60));
    project(&site, report(id, 1, State::Done, &[("started", at), ("fulfilled", at)])).await;
    let before = site.account.item(id).await.unwrap();
    let replayed = |report| async {
        let caused = [(CAUSED.to_owned(), "2026-11-26T12:00:00Z".to_owned())].into();
        let message = Notification { attributes: caused, ..Notification::default() };
        site.account.projection(&site.app).project(report, message).await.unwrap();
        site.account.item(id).await.unwrap()
    };
    let again = report(id, 1, State::Done, &[("started", later), ("fulfilled", later)]);
    assert_eq!(replayed(again.clone()).await, before);
    let invoice = Report { service: "invoice".to_owned(), ..again };
    assert_ne!(replayed(invoice).await, before);
}

/// The station of fulfilment: its phase, its word and its attempts.
fn fulfilment(order: &Value) -> (String, String, usize) {
    let mut stations = order["stations"].as_array().unwrap().iter();
    let station = stations.find(|station| station["name"] == "fulfilment").unwrap();
    let text = |name: &str| station[name].as_str().unwrap().to_owned();
    (text("state"), text("word"), station["attempts"].as_array().unwrap().len())
}

#[tokio::test]
async fn reports_may_arrive_in_any_order_and_twice() {
    let site = Site::start().await;
    let id = place(&site).await;
    let path = format!("/orders/{id}");
    let before = site.json(&path).await;
    assert_eq!((&before["is_done"], &before["state"]), (&json!(false), &json!("stored")));
    site.account.announce_at(id, Timestamp::now()).await;
    assert_eq!(site.json(&path).await["state"], "announced");

    let at = Timestamp::now();
    let early = report(id, 1, State::Working, &[("started", at)]);
    let mut whole = report(id, 1, State::Done, &[("started", at), ("fulfilled", at)]);
    let label = "A coupon".to_owned();
    whole.attachments = vec![Attachment { label, code: Some("K7QD".to_owned()), link: None }];
    for report in [&whole, &early, &whole] {
        project(&site, report.clone()).await;
    }
    let done = site.json(&path).await;
    assert_eq!(done["is_done"], true);
    assert_eq!(fulfilment(&done), ("done".to_owned(), "fulfilled".to_owned(), 1));
    // Stored, and one report that changed something.
    let versions = [&before, &done].map(|order| order["version"].as_u64().unwrap());
    assert_eq!(versions, [1, 2]);

    let later = at + SignedDuration::from_secs(1);
    project(&site, report(id, 2, State::Failed, &[("started", later), ("failed", later)])).await;
    let again = site.json(&path).await;
    assert_eq!(fulfilment(&again), ("done".to_owned(), "fulfilled".to_owned(), 2));

    let page = site.page(&path).await;
    for shown in ["Thank you, Ada", "data-done=\"true\"", "A coupon:", "K7QD", "42.00"] {
        assert!(page.body.contains(shown), "no {shown} on {}", page.body);
    }
    // A report on an order that nobody placed changes nothing.
    project(&site, report(OrderId::new(), 1, State::Done, &[("fulfilled", at)])).await;
    assert_eq!(site.account.items().await.len(), 1);
}

#[tokio::test]
async fn a_stream_shows_the_order_and_ends_when_it_is_settled() {
    let site = Site::start().await;
    let id = place(&site).await;
    site.account.announce_at(id, Timestamp::now()).await;
    let at = Timestamp::now();
    project(&site, report(id, 1, State::Done, &[("fulfilled", at)])).await;
    // A done order may still get a report, so its page goes on refreshing itself.
    let page = site.page(&format!("/orders/{id}")).await;
    assert!(page.body.contains("data-settled=\"false\""), "{}", page.body);

    let id = place(&site).await;
    let long_ago = at - SignedDuration::from_secs(121);
    site.account.place_at(id, long_ago).await;
    site.account.announce_at(id, long_ago).await;
    let unfulfilled = site.page(&format!("/orders/{id}")).await;
    assert!(unfulfilled.body.contains("data-settled=\"false\""), "{}", unfulfilled.body);
    project(&site, report(id, 1, State::Done, &[("fulfilled", long_ago)])).await;
    let page = site.page(&format!("/orders/{id}")).await;
    assert!(page.body.contains("data-settled=\"true\""), "{}", page.body);
    let events = Request::get(format!("/orders/{id}/events")).body(Body::empty()).unwrap();
    let events = timeout(Duration::from_secs(30), site.send(events)).await.expect("it ends");
    assert_eq!(events.status, StatusCode::OK);
    assert_eq!(events.headers[header::CONTENT_TYPE], "text/event-stream");
    let data = events.body.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let shown: Value = serde_json::from_str(data).unwrap();
    assert_eq!(shown, site.json(&format!("/orders/{id}")).await);
    let version = shown["version"].as_u64().unwrap();
    assert!(events.body.contains(&format!("id: {version}\n")), "{}", events.body);
}

#[tokio::test]
async fn a_client_has_fifty_streams_and_then_a_clear_answer() {
    const STREAMS: usize = 50;
    let site = Site::start().await;
    let id = place(&site).await;
    let open = async |client: u8| {
        let mut request = Request::get(format!("/orders/{id}/events"));
        let client = Client::of([203, 0, 113, client].into(), &HeaderMap::new(), 0);
        request.extensions_mut().unwrap().insert(client);
        routes::router(site.app.clone(), Router::new())
            .oneshot(request.body(Body::empty()).unwrap())
            .await
    };
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        streams.push(open(1).await.unwrap());
    }
    assert!(streams.iter().all(|stream| stream.status() == StatusCode::OK));
    let refused = open(1).await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "5");
    let body = to_bytes(refused.into_body(), 1_000).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("too many live pages open"), "{body:?}");
    assert_eq!(open(2).await.unwrap().status(), StatusCode::OK);
    streams.pop();
    assert_eq!(open(1).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn an_order_that_nobody_placed_is_not_found() {
    let site = Site::start().await;
    let id = OrderId::new();
    for path in [format!("/orders/{id}"), format!("/orders/{id}/events")] {
        let answer = site.page(&path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.body.contains("There is nothing at this address."), "{}", answer.body);
    }
}

/// A worker is trusted to report, but what it reports may come from anywhere.
#[tokio::test]
async fn markup_and_control_characters_in_a_report_are_only_text() {
    const MARKUP: &str = "\"><script>alert(1)</script>\u{1b}[31m\r\ndata: {}\r\n\r\n\u{0}\u{2028}";
    let site = Site::start().await;
    let id = place(&site).await;
    let long_ago = Timestamp::now() - SignedDuration::from_secs(3_600);
    site.account.place_at(id, long_ago).await;
    site.account.announce_at(id, long_ago).await;
    let mut hostile = report(id, 1, State::Done, &[(MARKUP, long_ago), (MARKUP, long_ago)]);
    hostile.service = format!("service {MARKUP}");
    let link = Some("//evil.example/\"><script>".to_owned());
    let (label, code) = (MARKUP.to_owned(), Some(MARKUP.to_owned()));
    hostile.attachments = vec![Attachment { label, code, link }];
    project(&site, hostile).await;
    project(&site, report(id, 1, State::Done, &[("fulfilled", long_ago)])).await;

    let path = format!("/orders/{id}");
    for page in [&path, "/orders", "/flow"] {
        let page = site.page(page).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert!(!page.body.contains("<script>"), "{}", page.body);
        assert!(!page.body.contains("evil.example"), "{}", page.body);
    }
    let order = site.json(&path).await;
    assert_eq!(order["stations"][3]["attachments"][0]["code"], MARKUP);
    // An event is one line, whatever is in it.
    let events = site.page(&format!("{path}/events")).await.body;
    let data: Vec<_> = events.lines().filter(|line| line.starts_with("data:")).collect();
    assert_eq!(data.len(), 1, "{events}");
    assert_eq!(serde_json::from_str::<Value>(&data[0][5..]).unwrap(), order);
}

#[tokio::test]
async fn clocks_that_are_an_hour_off_hide_nothing() {
    let site = Site::start().await;
    for hours in [-1, 1] {
        let id = place(&site).await;
        let off = Timestamp::now() + SignedDuration::from_hours(hours);
        site.account.place_at(id, off).await;
        site.account.announce_at(id, off).await;
        // The worker's clock is right, or off as well.
        project(&site, report(id, 1, State::Working, &[("started", Timestamp::now())])).await;
        project(&site, report(id, 2, State::Done, &[("started", off), ("fulfilled", off)])).await;
        let path = format!("/orders/{id}");
        let order = site.json(&path).await;
        assert_eq!((&order["is_done"], &order["state"]), (&json!(true), &json!("fulfilled")));
        let list = site.json("/orders").await;
        assert!(list.to_string().contains(&id.to_string()), "{list}");
        assert_eq!(site.page(&path).await.status, StatusCode::OK);
        assert_eq!(site.page("/flow").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_report_of_200_kilobytes_is_shown_and_does_not_hold_up_the_others() {
    let site = Site::start().await;
    let id = place(&site).await;
    site.account.announce_at(id, Timestamp::now()).await;
    let at = Timestamp::now();
    let mut large = report(id, 1, State::Done, &[("written", at)]);
    large.service = "invoice".to_owned();
    let label = "x".repeat(200_000);
    large.attachments = vec![Attachment { label, code: None, link: None }];
    project(&site, large).await;
    project(&site, report(id, 1, State::Done, &[("fulfilled", at)])).await;
    assert_eq!(site.json(&format!("/orders/{id}")).await["is_done"], true);
    assert_eq!(site.page("/orders").await.status, StatusCode::OK);
}
