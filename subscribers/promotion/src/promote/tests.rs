//! One coupon for each order, on an AWS account in this process.

use std::{collections::HashSet, path::Path};

use account::embedded::EmbeddedAccount;
use futures_util::future::join_all;
use orders::{
    event,
    order::{Amount, OrderId},
    report::STATUS_TOPIC,
};
use pubsub::topic::Topic;

use super::*;

/// How often one message is delivered.
const DELIVERIES: usize = 50;

async fn promotion(account: &EmbeddedAccount) -> Promotion {
    let aws = account.target.config().await;
    let service = account.account.service("promotion").unwrap();
    let topic = service.topic_arn(STATUS_TOPIC).unwrap().to_owned();
    let table = service.variable("COUPONS_TABLE_NAME").unwrap().to_owned();
    Promotion {
        reporter: Reporter::new("promotion", Topic::new(&aws, topic)),
        coupons: CouponsTable::new(&aws, table),
    }
}

async fn account() -> EmbeddedAccount {
    let copilot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
    EmbeddedAccount::of_files(&copilot).await.unwrap()
}

/// An order as its event arrives. The filter policy is decided before: any total earns a coupon.
fn received(id: OrderId, cents: u64) -> Notification {
    let amount = Amount::from_cents(cents).unwrap();
    let order = Order { id, customer: "Ada Lovelace".parse().unwrap(), amount };
    let message = event::order_placed(&order).body;
    Notification { message, attempt: 1, ..Notification::default() }
}

#[tokio::test]
async fn an_order_has_one_coupon_however_often_its_message_is_delivered() {
    let account = account().await;
    let promotion = promotion(&account).await;
    let id = OrderId::new();
    let deliveries = (0..DELIVERIES).map(|_| promotion.clone().handle(received(id, 8_000)));
    for outcome in join_all(deliveries).await {
        outcome.unwrap();
    }
    let grants = (0..DELIVERIES).map(|_| promotion.coupons.grant(id));
    let codes: HashSet<String> =
        join_all(grants).await.into_iter().map(|coupon| coupon.unwrap().code).collect();
    assert_eq!(codes.len(), 1, "{codes:?}");
    let another = promotion.coupons.grant(OrderId::new()).await.unwrap();
    assert!(!codes.contains(&another.code));
}

#[tokio::test]
async fn which_orders_earn_a_coupon_is_not_decided_here() {
    let account = account().await;
    promotion(&account).await.handle(received(OrderId::new(), 1)).await.unwrap();
    let table = account.account.service("promotion").unwrap().variable("COUPONS_TABLE_NAME");
    let dynamodb = aws_sdk_dynamodb::Client::new(&account.target.config().await);
    let coupons = dynamodb.scan().table_name(table.unwrap()).send().await.unwrap();
    assert_eq!(coupons.count, 1);
}

#[tokio::test]
async fn a_message_that_is_not_an_order_is_poison() {
    let account = account().await;
    let broken = Notification { message: "{".to_owned(), ..Notification::default() };
    let outcome = promotion(&account).await.handle(broken).await;
    assert!(matches!(outcome, Err(Failure::Poison(_))), "{outcome:?}");
}
