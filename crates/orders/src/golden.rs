//! Every message that was ever sent is read by today's code, and what is sent today is among them.
//!
//! See [`EXAMPLES`].

use std::fs;

use pubsub::{
    notification::Notification,
    subscribe::{FromMessage, UnknownType},
    topic::{Attribute, Message},
};

use crate::{
    event::{self, Event},
    examples::EXAMPLES,
    order::Order,
    payment::{News, Outcome},
    report::{Attachment, Report, State},
};

const ID: &str = "0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f";

fn notification(file: &str) -> Notification {
    let example = EXAMPLES.iter().find(|example| example.file == file).unwrap();
    example.notification()
}

fn read<E: FromMessage>(file: &str) -> E {
    E::from_message(&notification(file)).unwrap_or_else(|error| panic!("{file}: {error:#}"))
}

fn order(id: &str) -> Order {
    Order {
        id: id.parse().unwrap(),
        customer: "Ada Lovelace".parse().unwrap(),
        amount: "120".parse().unwrap(),
    }
}

/// What a report says: its service, its state, its last step and its attachments.
fn said(file: &str) -> (String, State, String, Vec<Attachment>) {
    let Report { order_id, service, state, steps, attachments, .. } = read(file);
    assert_eq!(order_id.to_string(), ID, "{file}");
    (service, state, steps.last().unwrap().name.clone(), attachments)
}

#[test]
fn every_event_is_read() {
    let event = |file: &str| read::<Event>(file);
    // The Python original sends no id, so that of SNS is the order's.
    let python = order("5b8b1f6e-1c5e-5a52-9d3c-3f0c9a1f4b11");
    assert_eq!(event("order.placed-python.json"), Event::OrderPlaced(python));
    assert_eq!(event("order.placed-0.1.0.json"), Event::OrderPlaced(order(ID)));
    assert_eq!(event("ping-0.1.0.json"), Event::Ping("Hello!".to_owned()));
}

#[test]
fn every_report_is_read() {
    let coupon = Attachment {
        label: "20 % off your next order".to_owned(),
        code: Some("K7QD-2MXA-9TRW".to_owned()),
        link: None,
    };
    for (file, service, state, step, attachments) in [
        ("report-0.1.0-started.json", "fulfilment", State::Working, "started", vec![]),
        ("report-0.1.0-fulfilled.json", "fulfilment", State::Done, "fulfilled", vec![]),
        ("report-0.1.0-failed.json", "fulfilment", State::Failed, "failed", vec![]),
        ("report-0.1.0-coupon.json", "promotion", State::Done, "granted", vec![coupon.clone()]),
        ("report-attachments.json", "promotion", State::Done, "granted", vec![coupon]),
    ] {
        let expected = (service.to_owned(), state, step.to_owned(), attachments);
        assert_eq!(said(file), expected, "{file}");
    }
}

#[test]
fn every_payment_is_read_and_other_webhooks_are_unknown() {
    for (file, outcome) in
        [("payment.received.json", Outcome::Received), ("payment.failed.json", Outcome::Failed)]
    {
        let News::Payment(event) = read(file) else { panic!("{file}") };
        assert_eq!((event.outcome, event.data.order_id.to_string()), (outcome, ID.to_owned()));
        assert_eq!(event.data.amount.to_string(), "120.00", "{file}");
    }
    let other = News::from_message(&notification("webhook.json")).unwrap_err();
    assert!(other.is::<UnknownType>(), "{other:#}");
}

#[test]
fn no_file_is_forgotten() {
    let source = include_str!("golden.rs");
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/golden")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(EXAMPLES.iter().any(|it| it.file == name), "{name} is no example");
        assert!(source.contains(&format!("\"{name}\"")), "no test reads {name}");
    }
}

#[test]
fn what_is_sent_today_is_among_the_files() {
    let same = |message: Message, file: &str| {
        let golden = notification(file);
        assert_eq!(message.body, golden.message, "{file}");
        for (name, value) in message.attributes {
            let (Attribute::Text(value) | Attribute::Number(value)) = value;
            assert_eq!(golden.attributes.get(name), Some(&value), "{file}: {name}");
        }
    };
    same(event::order_placed(&order(ID)), "order.placed-0.1.0.json");
    same(event::ping("Hello!".to_owned(), ID.to_owned()), "ping-0.1.0.json");
    for file in ["report-0.1.0-started.json", "report-attachments.json"] {
        let report: Report = read(file);
        assert_eq!(serde_json::to_string(&report).unwrap(), notification(file).message, "{file}");
    }
}
