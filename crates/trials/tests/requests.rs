//! The requests to AWS that an order takes: they must not increase unnoticed.

use std::time::Duration;

use tokio::sync::Mutex;
use trials::bench::{Requests, requests_at_load, requests_when_idle, requests_with_few};

const ORDERS: usize = 400;
/// On a busy machine calls take so long that they are repeated, which counts.
static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn an_order_takes_few_requests() {
    let _alone = ALONE.lock().await;
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
async fn an_idle_system_takes_about_thirty_requests_a_minute() {
    let _alone = ALONE.lock().await;
    // Three long polls and some nine looks into each of two outboxes. In 40 seconds, chance may
    // add one of each.
    let requests = requests_when_idle(Duration::from_secs(40)).await.unwrap();
    assert!((9.0..=36.0).contains(&requests), "{requests} requests a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn announcing_takes_no_write_while_reports_come_in_time() {
    let _alone = ALONE.lock().await;
    let requests = requests_with_few(Duration::from_secs(10)).await.unwrap();
    let (orders, reports) = (requests.orders as u64, requests.reports as u64);
    assert!(orders >= 50, "only {orders} orders");
    let notes = requests.count("DynamoDB.UpdateItem") - reports;
    // On a busy machine, one or the other report takes longer than a second and a half.
    assert!(notes <= orders / 10, "{notes} notes for {orders} orders: {:?}", requests.calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_takes_one_write_for_each_message_and_shares_the_other_requests() {
    let _alone = ALONE.lock().await;
    let requests = requests_at_load(ORDERS, true).await.unwrap();
    let Requests { orders, coupons, reports, events, calls } = &requests;
    // Each order is announced, and each report is published.
    let messages = orders + reports;
    assert!((messages..=messages + orders / 20).contains(events), "{events} events: {calls:?}");
    let puts = requests.count("DynamoDB.PutItem") as usize;
    let expected = orders + coupons + events;
    assert!((expected..=expected + orders / 20).contains(&puts), "{puts} puts: {calls:?}");
    let others = requests.count("") - requests.count("DynamoDB");
    let most = reports + events / 2;
    assert!(others as usize <= most, "{others} other requests: {calls:?}");
}
