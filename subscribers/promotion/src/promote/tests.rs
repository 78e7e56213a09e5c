//! One coupon for each order: the real runtime, and the coupons table of an AWS account in this
//! process.

use std::{
    collections::HashSet,
    path::Path,
    time::{Duration, SystemTime},
};

use account::embedded::EmbeddedAccount;
use futures_util::future::join_all;
use orders::{
    event,
    examples::EXAMPLES,
    order::{Amount, OrderId},
    report::{Attachment, Report, STATUS_TOPIC},
};
use pubsub::{
    subscribe::{FromMessage as _, UnknownType},
    testing::{Attempt, TestAccount, TestWorker, message},
    topic::{Attribute, Message},
};

use super::*;

/// How often one message is delivered.
const DELIVERIES: usize = 50;

/// Promotion, with a queue and topics in memory.
struct Fixture {
    worker: TestWorker,
    topics: TestAccount,
    coupons: CouponsTable,
    _tables: EmbeddedAccount,
}

impl Fixture {
    async fn new() -> Self {
        let copilot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
        let tables = EmbeddedAccount::of_files(&copilot).await.unwrap();
        let service = tables.account.service("promotion").unwrap();
        let table = service.variable("COUPONS_TABLE_NAME").unwrap().to_owned();
        let keep = Keep::days(90);
        let coupons = CouponsTable::new(&tables.target.config_of(service).await, table, keep);
        let topics = TestAccount::default();
        let reporter = Reporter::new("promotion", topics.topic(STATUS_TOPIC));
        let worker = topics.start(Promotion { reporter, coupons: coupons.clone(), keep }).await;
        Self { worker, topics, coupons, _tables: tables }
    }

    /// What the reports have for the customers.
    fn attachments(&self) -> Vec<Attachment> {
        let published = self.topics.published(STATUS_TOPIC);
        let reports = published.iter().map(|message| Report::from_message(message).unwrap());
        reports.flat_map(|report| report.attachments).collect()
    }
}

/// The filter policy selects the orders, so any total earns a coupon.
fn order_placed(id: OrderId, cents: u64) -> Message {
    let amount = Amount::from_cents(cents).unwrap();
    event::order_placed(&Order { id, customer: "Ada Lovelace".parse().unwrap(), amount })
}

#[tokio::test]
async fn an_order_has_one_coupon_however_often_its_message_is_delivered() {
    let promotion = Fixture::new().await;
    let id = OrderId::new();
    let deliveries = (0..DELIVERIES).map(|_| promotion.worker.deliver(order_placed(id, 8_000)));
    for delivered in join_all(deliveries).await {
        assert!(delivered.acknowledged, "{delivered:?}");
    }
    let attachments = promotion.attachments();
    assert_eq!(attachments.len(), DELIVERIES);
    let codes: HashSet<_> = attachments.into_iter().filter_map(|it| it.code).collect();
    assert_eq!(codes.len(), 1, "{codes:?}");
    let stored = promotion.coupons.grant(id).await.unwrap().code;
    assert_eq!(codes, HashSet::from([stored]));
    let another = promotion.coupons.grant(OrderId::new()).await.unwrap().code;
    assert!(!codes.contains(&another));
}

#[tokio::test]
async fn which_orders_earn_a_coupon_is_not_decided_here() {
    let promotion = Fixture::new().await;
    promotion.worker.deliver(order_placed(OrderId::new(), 1)).await;
    assert_eq!(promotion.attachments().len(), 1);
}

#[tokio::test]
async fn a_ping_earns_nothing() {
    let promotion = Fixture::new().await;
    let ping = event::ping("Hello!".to_owned(), "abcde".to_owned());
    assert!(promotion.worker.deliver(ping).await.acknowledged);
    assert_eq!(promotion.attachments(), []);
}

#[tokio::test]
async fn a_message_that_is_not_an_order_is_poison() {
    let promotion = Fixture::new().await;
    let delivered = promotion.worker.deliver(message("{")).await;
    assert!(matches!(delivered.attempts[..], [Attempt::Poison(_)]), "{delivered:?}");
}

#[tokio::test]
async fn an_event_of_an_unknown_type_is_acknowledged_and_earns_nothing() {
    let promotion = Fixture::new().await;
    let mut cancelled = order_placed(OrderId::new(), 8_000);
    cancelled.attributes[0].1 = Attribute::Text("order.cancelled".to_owned());
    let delivered = promotion.worker.deliver(cancelled).await;
    assert!(delivered.acknowledged, "{delivered:?}");
    assert_eq!(delivered.attempts, [Attempt::Succeeded]);
    assert!(promotion.attachments().is_empty());
}

#[tokio::test]
async fn an_order_whose_coupon_may_have_expired_gets_no_second_one() {
    let promotion = Fixture::new().await;
    let handler = Promotion {
        reporter: Reporter::new("promotion", promotion.topics.topic(STATUS_TOPIC)),
        coupons: promotion.coupons.clone(),
        keep: Keep::days(90),
    };
    for (days, coupons) in [(91, 0), (89, 1)] {
        let ago = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
        let notification = Notification { published_at: Some(ago), ..Notification::default() };
        let amount = Amount::from_cents(8_000).unwrap();
        let order = Order { id: OrderId::new(), customer: "Ada".parse().unwrap(), amount };
        handler.handle(Event::OrderPlaced(order), notification).await.unwrap();
        assert_eq!(promotion.attachments().len(), coupons, "after {days} days");
    }
}

#[tokio::test]
async fn every_message_that_was_ever_sent_is_handled_or_is_no_concern() {
    let fixture = Fixture::new().await;
    let reporter = Reporter::new("promotion", fixture.topics.topic(STATUS_TOPIC));
    let (coupons, keep) = (fixture.coupons.clone(), Keep::days(0));
    let handler = Promotion { reporter, coupons, keep };
    for example in EXAMPLES {
        let received = example.notification();
        match Event::from_message(&received) {
            Ok(event) => handler.handle(event, received).await.unwrap(),
            Err(error) => {
                assert!(error.is::<UnknownType>(), "{}: {error:#}", example.file);
                assert!(!["order.placed", "ping"].contains(&example.event), "{}", example.file);
            }
        }
    }
}
