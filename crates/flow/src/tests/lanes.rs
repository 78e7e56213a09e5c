//! What is shown of the subscriptions.

use super::*;

/// The lanes of orders.
async fn lanes(orders: Subscriptions) -> Vec<Value> {
    let picture = seen(&Scripted::new(orders, &[]).flow(), &[]).await;
    picture["lanes"].as_array().unwrap().clone()
}

#[tokio::test]
async fn nothing_is_shown_of_subscriptions_that_are_not_queues() {
    let lanes = lanes(&[
        ("email", "ada@example.com", "arn:1"),
        ("sqs", "arn:aws:sqs:eu-west-1:1:promotion", "arn:2"),
        ("sms", "+15550100", "arn:3"),
        ("https", "https://hook.example/secret", "arn:4"),
        ("email", "bob@example.com", "PendingConfirmation"),
    ])
    .await;
    assert_eq!(lanes.len(), 1, "{lanes:?}");
    assert_eq!((&lanes[0]["service"], &lanes[0]["filter"]), (&json!("promotion"), &json!(FILTER)));
    assert_eq!(lanes[0]["depth"], json!({"waiting": 7, "in_flight": 0, "dead": 7}));
}

#[tokio::test]
async fn a_subscription_that_cannot_be_read_costs_only_its_own_filter() {
    let lanes = lanes(&[
        ("sqs", "arn:aws:sqs:eu-west-1:1:fulfilment", "PendingConfirmation"),
        ("sqs", "arn:aws:sqs:eu-west-1:1:promotion", "arn:2"),
    ])
    .await;
    let shown: Vec<_> = lanes.iter().map(|it| (&it["service"], &it["filter"])).collect();
    let expected = [("fulfilment", ""), ("promotion", FILTER)].map(|(a, b)| (json!(a), json!(b)));
    let expected: Vec<_> = expected.iter().map(|(service, filter)| (service, filter)).collect();
    assert_eq!(shown, expected);
    assert!(lanes.iter().all(|it| it["depth"]["waiting"] == 7), "{lanes:?}");
}

#[tokio::test]
async fn payments_have_a_lane_of_their_own() {
    let picture = seen(&Scripted::new(WORKERS, OF_WEBHOOKS).flow(), &[]).await;
    let lanes = picture["lanes"].as_array().unwrap();
    let services: Vec<_> = lanes.iter().map(|lane| lane["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["fulfilment", "history", "promotion", "history", "payment"]);
    assert!(lanes.iter().all(|it| it["depth"]["waiting"] == 7), "{lanes:?}");
}
