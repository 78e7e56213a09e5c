//! Each event is kept once: the real runtime, and the events table of an AWS account in this
//! process.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use account::embedded::EmbeddedAccount;
use archive::{Order, Range};
use jiff::{SignedDuration, Timestamp};
use pubsub::{
    replay::{CAUSED, REPLAYED},
    testing::{Attempt, TestAccount, TestWorker, message},
    topic::{Attribute, Message},
};

use super::*;

/// History, with a queue in memory.
struct Fixture {
    worker: TestWorker,
    events: Archive,
    tables: EmbeddedAccount,
}

impl Fixture {
    async fn new() -> Self {
        let copilot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
        let tables = EmbeddedAccount::of_files(&copilot).await.unwrap();
        let service = tables.account.service("history").unwrap();
        let table = service.variable("EVENTS_TABLE_NAME").unwrap().to_owned();
        let events = Archive::new(&tables.target.config_of(service).await, table.clone());
        let history = History { events, keep: Keep::days(90) };
        let worker = TestAccount::default().start(history).await;
        // History itself may not read.
        let events = Archive::new(&tables.target.config().await, table);
        Self { worker, events, tables }
    }

    /// All events.
    async fn kept(&self) -> Vec<Event> {
        let hour = SignedDuration::from_hours(1);
        let range = Range::new(Timestamp::now() - hour, Timestamp::now() + hour);
        let mut reader = self.events.read(range, Order::OldestFirst, None);
        let mut kept = Vec::new();
        while let Some(event) = reader.next().await.unwrap() {
            kept.push(event);
        }
        kept
    }
}

/// A message that says nothing about an order.
fn typed(event_type: &str, more: &[&'static str]) -> Message {
    let attributes = more.iter().map(|name| (*name, Attribute::Text("2026".to_owned())));
    let event_type = ("event_type", Attribute::Text(event_type.to_owned()));
    Message { attributes: attributes.chain([event_type]).collect(), ..message("Hello!") }
}

#[tokio::test]
async fn an_event_of_any_type_is_kept_with_the_types_of_its_attributes() {
    let history = Fixture::new().await;
    let mut sent = typed("a.type.of.tomorrow", &[]);
    sent.attributes.push(("amount", Attribute::Number("80.00".to_owned())));
    let delivered = history.worker.deliver(sent).await;
    assert_eq!(delivered.attempts, [Attempt::Succeeded]);
    let kept = history.kept().await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0].notification().message, "Hello!");
    assert!(kept[0].envelope.contains(r#""amount":{"Type":"Number","Value":"80.00"}"#), "{kept:?}");
}

#[tokio::test]
async fn what_a_replay_sends_here_is_not_kept_again_but_what_it_causes_is() {
    let history = Fixture::new().await;
    for mark in [REPLAYED, CAUSED] {
        let delivered = history.worker.deliver(typed("order.placed", &[mark])).await;
        assert_eq!(delivered.attempts, [Attempt::Succeeded]);
    }
    let kept = history.kept().await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(kept[0].notification().is_caused_by_replay(), "{kept:?}");
}

#[tokio::test]
async fn an_event_expires_when_it_was_kept_long_enough() {
    let history = Fixture::new().await;
    history.worker.deliver(typed("ping", &[])).await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&history.tables.target.config().await);
    let table = history.tables.account.service("history").unwrap();
    let scan = dynamodb.scan().table_name(table.variable("EVENTS_TABLE_NAME").unwrap());
    let item = scan.send().await.unwrap().items.unwrap().remove(0);
    let at: u64 = item["expires_at"].as_n().unwrap().parse().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let days = (at - now) as f64 / (24.0 * 60.0 * 60.0);
    assert!((89.9..=90.0).contains(&days), "after {days} days");
}
