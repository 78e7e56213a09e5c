//! The API, the list, the picture and the pings, as programs use them.

use std::iter;

use axum::http::{StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use orders::order::OrderId;
use outbox::shards::DEFAULT;
use serde_json::{Value, json};

use super::site::Site;

fn order(customer: &str) -> Value {
    json!({ "customer": customer, "amount": "42" })
}

#[tokio::test]
async fn a_key_names_one_order() {
    let site = Site::start().await;
    let key = "8e03978e-40d5-43dd-bc93-6894a57f9324";
    let created = site.post(Some(key), &order("Ada")).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    let body: Value = serde_json::from_str(&created.body).unwrap();
    assert_eq!((&body["customer"], &body["amount"]), (&json!("Ada"), &json!("42.00")));
    let path = format!("/orders/{}", body["id"].as_str().unwrap());
    assert_eq!(created.headers[header::LOCATION], path);
    assert_eq!(site.json(&path).await, body);

    for same in [format!(" {key} "), format!("\"{key}\"")] {
        let again = site.post(Some(&same), &order("Ada")).await;
        assert_eq!((again.status, &again.body), (StatusCode::OK, &created.body));
    }
    // Another client that uses the key gets its own order, and learns nothing.
    let other = site.post(Some(key), &order("Bob")).await;
    assert_eq!(other.status, StatusCode::CREATED);
    assert!(other.body.contains("Bob") && !other.body.contains(&path), "{}", other.body);
    for _ in 0..2 {
        assert_eq!(site.post(None, &order("Ada")).await.status, StatusCode::CREATED);
    }
    assert_eq!(site.account.items().await.len(), 4);
}

#[tokio::test]
async fn a_key_that_somebody_else_may_use_too_is_refused() {
    let site = Site::start().await;
    for key in ["", " ", "1", "order 17", &"x".repeat(8_000), &OrderId::derived("1").to_string()] {
        let refused = site.post(Some(key), &order("Ada")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{key:?}: {}", refused.body);
        assert!(refused.body.contains("is a random UUID"), "{}", refused.body);
    }
    assert!(site.account.items().await.is_empty());
}

#[tokio::test]
async fn the_latest_orders_come_in_pages_of_twenty() {
    const ORDERS: usize = 41;
    let site = Site::start().await;
    let mut placed = Vec::new();
    for _ in 0..ORDERS {
        let created = site.post(None, &order("Ada")).await.body;
        placed.insert(0, serde_json::from_str::<Value>(&created).unwrap()["id"].clone());
    }
    let (mut listed, mut sizes) = (Vec::new(), Vec::new());
    let mut next = Some("/orders".to_owned());
    while let Some(path) = next {
        let page = site.json(&path).await;
        let orders = page["orders"].as_array().unwrap();
        listed.extend(orders.iter().map(|order| order["id"].clone()));
        sizes.push(orders.len());
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!((listed, sizes), (placed, vec![20, 20, 1]));
    let id = "0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f";
    for wrong in [
        "x",
        "1-2",
        "",
        &format!("x-{id}"),
        &format!("{}-{id}", "1".repeat(1_100)),
        &format!("{}-{id}", "1".repeat(12)),
        &format!("{}-%7b{id}%7d", "1".repeat(13)),
        "1&before=2",
    ] {
        let answer = site.page(&format!("/orders?before={wrong}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong:?}");
        assert!(answer.body.contains("This page does not exist."), "{}", answer.body);
    }
}

#[tokio::test]
async fn orders_that_share_a_shard_are_listed_as_completely_as_others() {
    let site = Site::start().await;
    let ids = iter::repeat_with(OrderId::new).filter(|id| id.shard(DEFAULT) == 0).take(21);
    for id in ids.collect::<Vec<_>>() {
        let sent = site.submit(&id.to_string(), "Ada", "42").await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER);
    }
    let latest = site.json("/orders").await;
    assert_eq!(latest["orders"].as_array().map(Vec::len), Some(20));
    let older = site.json(latest["next"].as_str().unwrap()).await;
    assert_eq!(older["orders"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_page_ends_exactly_with_the_last_order() {
    let site = Site::start().await;
    for _ in 0..20 {
        site.post(None, &order("Ada")).await;
    }
    let page = site.json("/orders").await;
    assert_eq!(page["orders"].as_array().map(Vec::len), Some(20));
    assert_eq!(page["next"], Value::Null);
}

#[tokio::test]
async fn the_list_shows_when_an_order_was_placed() {
    let site = Site::start().await;
    let created = site.post(None, &order("Ada")).await.body;
    let id = serde_json::from_str::<Value>(&created).unwrap()["id"].clone();
    let id: OrderId = serde_json::from_value(id).unwrap();
    let time: Timestamp = "2026-03-04T05:06:07.089Z".parse().unwrap();
    site.account.place_at(id, time).await;
    let list = site.page("/orders").await;
    for shown in ["<span>2026-03-04</span> <span>05:06:07</span>", "42.00", "stored", "Ada"] {
        assert!(list.body.contains(shown), "no {shown} on {}", list.body);
    }
}

#[tokio::test]
async fn the_picture_shows_the_orders_of_the_last_minute() {
    let site = Site::start().await;
    let mut ids: Vec<OrderId> = Vec::new();
    for _ in 0..2 {
        let created = site.post(None, &order("Ada")).await.body;
        let created: Value = serde_json::from_str(&created).unwrap();
        ids.push(serde_json::from_value(created["id"].clone()).unwrap());
    }
    let old = Timestamp::now() - SignedDuration::from_secs(61);
    site.account.place_at(ids[0], old).await;
    let picture = site.json("/flow").await;
    let picture = picture.to_string();
    assert!(picture.contains(&ids[1].to_string()), "{picture}");
    assert!(!picture.contains(&ids[0].to_string()), "{picture}");
    // What this process takes meanwhile is there at once, although nothing is read again.
    let created = site.post(None, &order("Ada")).await.body;
    let created: Value = serde_json::from_str(&created).unwrap();
    let picture = site.json("/flow").await.to_string();
    assert!(picture.contains(created["id"].as_str().unwrap()), "{picture}");
    let page = site.page("/flow").await;
    assert!(page.body.contains("<svg") && page.body.contains("42.00"), "{}", page.body);
}

#[tokio::test]
async fn a_ping_reaches_a_subscriber_with_its_text() {
    let site = Site::start().await;
    assert_eq!(site.page("/ping").await.body, "ok");
    let mut sent = Vec::new();
    for _ in 0..2 {
        let post = axum::http::Request::post("/ping").body(axum::body::Body::empty()).unwrap();
        let answer: Value = serde_json::from_str(&site.send(post).await.body).unwrap();
        let message = answer["message"].as_str().unwrap().to_owned();
        let letters = message.strip_prefix("Hello! Message sent: ").unwrap_or_default();
        let are_letters = letters.bytes().all(|byte| byte.is_ascii_lowercase());
        assert!(letters.len() == 5 && are_letters, "{message}");
        sent.push(message);
    }
    assert_ne!(sent[0], sent[1], "two pings have the same letters");
    let received = site.account.received().await;
    for message in sent {
        assert!(received.iter().any(|it| it.contains(&message)), "{message} in {received:?}");
    }
}

#[tokio::test]
async fn assets_are_served_with_their_types() {
    let site = Site::start().await;
    for (asset, media_type, part) in [
        ("style.css", "text/css; charset=utf-8", "{"),
        ("icon.svg", "image/svg+xml; charset=utf-8", "<svg"),
        ("form.js", "text/javascript; charset=utf-8", "pageshow"),
        ("order.js", "text/javascript; charset=utf-8", "EventSource"),
        ("flow.js", "text/javascript; charset=utf-8", "fetch"),
    ] {
        let answer = site.page(&format!("/assets/{asset}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{asset}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], media_type, "{asset}");
        assert!(answer.body.contains(part), "{asset} is {}", answer.body);
    }
}
