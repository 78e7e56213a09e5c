//! The archive on the events table of an AWS account in this process.

use std::{collections::BTreeMap, path::Path, time::Duration};

use account::embedded::EmbeddedAccount;
use jiff::Timestamp;
use pubsub::{notification::Notification, subscribe::Envelope};
use serde_json::json;

use super::*;

const ORDER: &str = "0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f";

struct Fixture {
    archive: Archive,
    _account: EmbeddedAccount,
}

impl Fixture {
    async fn new() -> Self {
        let copilot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
        let account = EmbeddedAccount::of_files(&copilot).await.unwrap();
        let table = account.account.service("history").unwrap();
        let table = table.variable("EVENTS_TABLE_NAME").unwrap().to_owned();
        Self { archive: Archive::new(&account.target.config().await, table), _account: account }
    }

    /// The ids that `reader` finds.
    async fn read(&self, range: Range, order: Order, page: Option<i32>) -> Vec<EventId> {
        let mut reader = self.archive.read(range, order, page);
        let mut ids = Vec::new();
        while let Some(event) = reader.next().await.unwrap() {
            ids.push(event.id);
        }
        ids
    }
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn event(time: &str, number: u32, message: &str) -> Event {
    let envelope = json!({
        "Type": "Notification",
        "MessageId": format!("00000000-0000-4000-8000-{number:012}"),
        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:topic",
        "Timestamp": time,
        "Message": message,
        "MessageAttributes": {"amount": {"Type": "Number", "Value": "80"}},
    });
    let envelope = envelope.to_string();
    let read = Notification::read(envelope.clone(), "", BTreeMap::new(), 1);
    Event::new(Envelope(envelope.into()), &read).unwrap()
}

#[tokio::test]
async fn an_event_is_kept_once_as_it_was_sent_and_found_by_its_id() {
    let fixture = Fixture::new().await;
    let sent = event("2026-11-26T12:00:00.123Z", 1, &json!({"id": ORDER}).to_string());
    assert_eq!(sent.id.to_string(), "1795694400123-00000000-0000-4000-8000-000000000001");
    assert_eq!(sent.id.at(), at("2026-11-26T12:00:00.123Z"));
    assert!(fixture.archive.keep(&sent, Some("2000000000".to_owned())).await.unwrap());
    assert!(!fixture.archive.keep(&sent, None).await.unwrap(), "a copy is kept too");
    let found = fixture.archive.get(&sent.id).await.unwrap().unwrap();
    assert_eq!(found, sent);
    assert_eq!(found.notification().attributes["amount"], "80");
    let absent = "1795694400123-absent".parse().unwrap();
    assert_eq!(fixture.archive.get(&absent).await.unwrap(), None);
}

#[tokio::test]
async fn the_events_of_an_order_are_found_whatever_calls_it() {
    let fixture = Fixture::new().await;
    let messages = [
        json!({"id": ORDER, "customer": "Ada"}).to_string(),
        json!({"order_id": ORDER, "id": "another"}).to_string(),
        json!({"type": "payment.received", "data": {"order_id": ORDER}}).to_string(),
        json!({"order_id": "another"}).to_string(),
        "a text".to_owned(),
    ];
    for (number, message) in (1..).zip(&messages) {
        let sent = event(&format!("2026-11-26T12:00:0{number}Z"), number, message);
        fixture.archive.keep(&sent, None).await.unwrap();
    }
    let of = async |order: &str| fixture.archive.of_order(order).await.unwrap().unwrap();
    let found = of(ORDER).await;
    let found: Vec<_> = found.iter().map(|event| event.notification().message).collect();
    assert_eq!(found, messages[..3]);
    // The Python original sends no id.
    let python = event("2026-11-26T12:00:09Z", 9, r#"{"customer": "Guido", "amount": "80"}"#);
    fixture.archive.keep(&python, None).await.unwrap();
    assert_eq!(of("00000000-0000-4000-8000-000000000009").await, [python]);
    let gone = Archive { table: "gone".to_owned(), ..fixture.archive.clone() };
    assert_eq!(gone.of_order(ORDER).await.unwrap(), None);
}

#[tokio::test]
async fn a_range_is_read_in_order_over_shards_pages_and_days() {
    const EVENTS: u32 = 60;
    let fixture = Fixture::new().await;
    let start = at("2026-11-25T23:59:40Z");
    let mut kept = Vec::new();
    for number in 0..EVENTS {
        // Two of each second: the id decides.
        let time = start + Duration::from_secs(u64::from(number / 2));
        let sent = event(&time.to_string(), number, "{}");
        fixture.archive.keep(&sent, None).await.unwrap();
        kept.push(sent.id);
    }
    let day = Range::new(at("2026-11-25T12:00:00Z"), at("2026-11-26T12:00:00Z"));
    for page in [Some(1), Some(7), None] {
        assert_eq!(fixture.read(day.clone(), Order::OldestFirst, page).await, kept);
        let mut newest = fixture.read(day.clone(), Order::NewestFirst, page).await;
        newest.reverse();
        assert_eq!(newest, kept);
    }
    // From a second on, and before another.
    let second = |seconds| start + Duration::from_secs(seconds);
    let some = Range::new(second(1), second(3));
    assert_eq!(fixture.read(some.clone(), Order::OldestFirst, None).await, kept[2..6]);
    let some = some.after(&kept[2]).before(&kept[5]);
    assert_eq!(fixture.read(some, Order::OldestFirst, None).await, kept[3..5]);
    let rest = day.after(&kept[57]);
    assert_eq!(fixture.read(rest, Order::OldestFirst, None).await, kept[58..]);
}

#[test]
fn what_is_no_id_is_refused() {
    for text in ["", "1795694400123", "1795694400123-", "179569440012x-id", "17956944001234-id"] {
        let refused = text.parse::<EventId>().unwrap_err().to_string();
        assert!(refused.contains("is not the id of an event"), "{text:?}: {refused}");
    }
}

#[test]
fn a_busy_day_is_spread_evenly() {
    let mut counts = BTreeMap::new();
    for number in 0..1_000 * SHARDS {
        let id = event("2026-11-26T12:00:00Z", number, "{}").id;
        *counts.entry(id.partition()).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), SHARDS as usize, "{counts:?}");
    assert!(counts.values().all(|count| (800..1_200).contains(count)), "{counts:?}");
}
