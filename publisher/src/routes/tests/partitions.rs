//! A partition of DynamoDB takes only so many writes a second: fewer shards than the load needs
//! refuse orders, enough of them do not, and nothing is lost either way.

use std::{collections::BTreeSet, time::Duration};

use aws_config::{SdkConfig, retry::RetryConfig};
use axum::http::{StatusCode, header};
use orders::order::OrderId;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::site::Site;
use crate::{routes::App, test_account::TestAccount};

/// In place of 1,000.
const WRITES_PER_SECOND: u32 = 4;
const ENOUGH_SHARDS: u32 = 16;
/// Two for each of these shards, which store and note two at once; one shard takes seven seconds.
const ORDERS: u32 = ENOUGH_SHARDS * WRITES_PER_SECOND / 2;
const RETRY_AFTER: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);

/// Throttled calls are not hidden by trying again.
fn without_retries(aws: &SdkConfig) -> SdkConfig {
    aws.clone().into_builder().retry_config(RetryConfig::disabled()).build()
}

/// Sends an order until it is accepted, and returns how often it was refused.
async fn send(site: &Site, id: OrderId) -> u32 {
    for refused in 0.. {
        let answer = site.submit(&id.to_string(), "Ada", "42").await;
        if answer.status == StatusCode::SEE_OTHER {
            return refused;
        }
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
        assert!(answer.headers.contains_key(header::RETRY_AFTER));
        sleep(RETRY_AFTER).await;
    }
    unreachable!("it is sent for ever")
}

/// The ids of all orders in the list.
async fn listed(site: &Site) -> BTreeSet<String> {
    let (mut ids, mut page) = (BTreeSet::new(), "/orders".to_owned());
    loop {
        let list = site.json(&page).await;
        let orders = list["orders"].as_array().unwrap();
        ids.extend(orders.iter().map(|order| order["id"].as_str().unwrap().to_owned()));
        let Some(next) = list["next"].as_str() else { return ids };
        page = next.to_owned();
    }
}

#[tokio::test]
async fn the_list_is_whole_although_dynamodb_leaves_some_orders_for_another_request() {
    let account = TestAccount::with_partitions_of(1_000).await;
    let site = Site::on(account, SdkConfig::clone).await;
    for _ in 0..10 {
        send(&site, OrderId::new()).await;
    }
    // The index has them a little later.
    let whole = async {
        while listed(&site).await.len() < 10 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, whole).await.unwrap();
    for _ in 0..30 {
        assert_eq!(listed(&site).await.len(), 10);
    }
}

/// Sends as many orders as fast as it can, and returns how often one was refused. None is lost.
async fn refused(shards: u32) -> u32 {
    let account = TestAccount::with_partitions_of(WRITES_PER_SECOND).await;
    let orders = account.orders_of(&without_retries(&account.aws), shards, &["fulfilment"]);
    let site = Site::on(account, SdkConfig::clone).await;
    let (fresh, waiting) = mpsc::channel(ORDERS as usize);
    let app = App { orders, fresh, ..site.app.clone() };
    let site = site.with(app);
    let never = CancellationToken::new();
    let outbox = site.account.outbox(&site.app).run(waiting, never.clone(), never);
    let outbox = tokio::spawn(outbox);

    let (mut stored, mut refused) = (BTreeSet::new(), 0);
    for shard in (0..ENOUGH_SHARDS).cycle().take(ORDERS as usize) {
        let mut ids = std::iter::repeat_with(OrderId::new);
        let id = ids.find(|id| id.shard(ENOUGH_SHARDS) == shard).unwrap();
        refused += send(&site, id).await;
        stored.insert(id.to_string());
    }
    let arrive = async {
        // The index is up to a second behind.
        while listed(&site).await != stored {
            sleep(RETRY_AFTER).await;
        }
        let mut missing = stored.clone();
        while !missing.is_empty() {
            for body in site.account.received().await {
                missing.retain(|id| !body.contains(id.as_str()));
            }
            sleep(RETRY_AFTER).await;
        }
    };
    timeout(PATIENCE, arrive).await.expect("an order is lost");
    outbox.abort();
    refused
}

#[tokio::test]
async fn one_shard_refuses_what_its_partition_does_not_take_and_sixteen_take_all() {
    assert!(refused(1).await > 0, "a partition took everything");
    assert_eq!(refused(ENOUGH_SHARDS).await, 0);
}
