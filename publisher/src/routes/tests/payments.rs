//! Payments on the order's page, whenever and however often their events arrive.

use jiff::{SignedDuration, Timestamp};
use orders::{
    order::OrderId,
    payment::{Outcome, Payment, PaymentEvent},
};
use pubsub::subscribe::Failure;
use serde_json::{Value, json};

use super::{progress::place, site::Site};

const RECEIVED: Outcome = Outcome::Received;
const FAILED: Outcome = Outcome::Failed;

/// An event of a payment, this many seconds after the first.
fn event(order_id: OrderId, payment: &str, outcome: Outcome, second: i64) -> PaymentEvent {
    let first = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(10);
    PaymentEvent {
        outcome,
        timestamp: first + SignedDuration::from_secs(second),
        data: Payment {
            payment_id: payment.to_owned().try_into().unwrap(),
            order_id,
            amount: "42".parse().unwrap(),
        },
    }
}

async fn pay(site: &Site, event: PaymentEvent) -> Result<(), Failure> {
    site.account.projection(&site.app).pay(event).await
}

/// The station of payments: its phase, its word and its sentences; and the order's version.
async fn payment(site: &Site, id: OrderId) -> Value {
    let order = site.json(&format!("/orders/{id}")).await;
    let mut stations = order["stations"].as_array().unwrap().iter();
    let station = stations.find(|station| station["name"] == "payment");
    let station = station.cloned().unwrap_or_default();
    json!([station["state"], station["word"], station["attempts"], order["version"]])
}

#[tokio::test]
async fn events_of_a_payment_may_arrive_in_any_order_and_twice() {
    let failed = "Payment a: 42.00 failed 10:00:01.000.";
    let later = "Payment a: 42.00 failed 10:00:02.000.";
    let received = "Payment a: 42.00 received 10:00:03.000.";
    // The events, and what is shown in the end.
    let cases = [
        (vec![], json!([null, null, null, 1])),
        (vec![(FAILED, 1)], json!(["failed", "failed", [failed], 2])),
        (vec![(FAILED, 1), (FAILED, 1)], json!(["failed", "failed", [failed], 2])),
        (vec![(FAILED, 1), (FAILED, 2)], json!(["failed", "failed", [later], 3])),
        (vec![(FAILED, 2), (FAILED, 1)], json!(["failed", "failed", [later], 2])),
        (vec![(FAILED, 1), (RECEIVED, 3)], json!(["done", "received", [received], 3])),
        (vec![(RECEIVED, 3), (FAILED, 1)], json!(["done", "received", [received], 2])),
        (vec![(RECEIVED, 3), (FAILED, 9)], json!(["done", "received", [received], 2])),
        (vec![(FAILED, 9), (RECEIVED, 3)], json!(["done", "received", [received], 3])),
        (vec![(RECEIVED, 3), (RECEIVED, 3)], json!(["done", "received", [received], 2])),
    ];
    let site = Site::start().await;
    for (events, expected) in cases {
        let id = place(&site).await;
        for (outcome, second) in &events {
            pay(&site, event(id, "a", *outcome, *second)).await.unwrap();
        }
        assert_eq!(payment(&site, id).await, expected, "{events:?}");
    }
}

#[tokio::test]
async fn several_payments_are_listed_by_time_and_one_that_came_in_counts() {
    let site = Site::start().await;
    let id = place(&site).await;
    for event in [event(id, "b", FAILED, 2), event(id, "a", RECEIVED, 1), event(id, "c", FAILED, 3)]
    {
        pay(&site, event).await.unwrap();
    }
    let [a, b, c] = [("a", "received", 1), ("b", "failed", 2), ("c", "failed", 3)]
        .map(|(id, word, second)| format!("Payment {id}: 42.00 {word} 10:00:0{second}.000."));
    assert_eq!(payment(&site, id).await, json!(["done", "received", [a, b, c], 4]));
    let page = site.page(&format!("/orders/{id}")).await.body;
    assert!(
        page.contains("data-step=\"payment\" data-state=\"done\"") && page.contains(&b),
        "{page}"
    );
    let state = site.json(&format!("/orders/{id}")).await["state"].clone();
    assert_eq!(state, "stored", "a payment does not fulfil an order");
}

#[tokio::test]
async fn a_payment_for_an_order_that_there_is_not_fails_until_there_is_one() {
    let site = Site::start().await;
    let id = OrderId::new();
    let Err(Failure::Retry(why)) = pay(&site, event(id, "a", RECEIVED, 1)).await else {
        panic!("it should be retried, and then be a dead letter");
    };
    assert!(why.to_string().contains(&id.to_string()), "{why}");
    assert_eq!(site.account.items().await, Vec::new());
}
