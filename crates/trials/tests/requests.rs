//! The requests to AWS that an order takes: they must not increase unnoticed.

use std::time::Duration;

use trials::bench::{Requests, requests_at_load, requests_with_few};

const ORDERS: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_takes_few_requests() {
    let requests = requests_at_load(ORDERS, false).await.unwrap();
    let calls = &requests.calls;
    let (orders, coupons) = (requests.orders as u64, requests.coupons as u64);
    let reports = requests.reports as u64;
    assert_eq!(requests.orders, ORDERS);

    // Every order is stored, and every coupon.
    let puts = requests.count("DynamoDB.PutItem");
    assert_eq!(puts, orders + coupons, "{calls:?}");
    // Nobody reported for seconds, so every announcement is noted; and every report is stored on
    // its order.
    let updates = requests.count("DynamoDB.UpdateItem");
    // On a busy machine, a call or a lease takes so long that it is repeated.
    let expected = orders + reports;
    assert!((expected..=expected + orders / 20).contains(&updates), "{calls:?}");
    // Everything else shares requests, up to ten at a time: about 0.75 requests for a report.
    let others = requests.count("") - puts - updates;
    assert!(others <= reports, "{others} other requests for {reports} reports: {calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn announcing_takes_no_write_while_reports_come_in_time() {
    let requests = requests_with_few(Duration::from_secs(10)).await.unwrap();
    let (orders, reports) = (requests.orders as u64, requests.reports as u64);
    assert!(orders >= 50, "only {orders} orders");
    let notes = requests.count("DynamoDB.UpdateItem") - reports;
    // On a busy machine, one or the other report takes longer than a second and a half.
    assert!(notes <= orders / 10, "{notes} notes for {orders} orders: {:?}", requests.calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_takes_a_write_for_each_message_and_shares_the_other_requests() {
    let without = requests_at_load(ORDERS, false).await.unwrap();
    let with = requests_at_load(ORDERS, true).await.unwrap();
    let (orders, coupons, events) = (with.orders, with.coupons, with.events);
    // Each order is announced, and each report is published.
    assert!(events >= orders + with.reports, "{events} events: {:?}", with.calls);
    assert_eq!(without.events, 0);
    let puts = with.count("DynamoDB.PutItem") as usize;
    assert_eq!(puts, orders + coupons + events, "{:?}", with.calls);
    let others = |it: &Requests| it.count("") - it.count("DynamoDB");
    let more = others(&with).saturating_sub(others(&without)) as usize;
    assert!(more <= events, "{more} more requests for {events} events: {:?}", with.calls);
    println!(
        "an order takes {:.2} requests without history, and {:.2} with it",
        without.count("") as f64 / orders as f64,
        with.count("") as f64 / orders as f64
    );
}
