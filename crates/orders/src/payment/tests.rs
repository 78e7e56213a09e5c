//! Payments, as providers send them.

use super::*;

const BODY: &str = r#"{"type":"payment.received","timestamp":"2026-11-26T04:00:00.5Z","data":
    {"payment_id":"pay_1","order_id":"0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f","amount":"120.1"}}"#;

fn read(source: Option<&str>, event_type: &str, message: &str) -> anyhow::Result<News> {
    let mut attributes = std::collections::BTreeMap::new();
    attributes.insert(EVENT_TYPE.to_owned(), event_type.to_owned());
    attributes.extend(source.map(|source| (SOURCE.to_owned(), source.to_owned())));
    let message = message.to_owned();
    News::from_message(&Notification { message, attributes, ..Notification::default() })
}

#[test]
fn a_payment_is_read_with_its_exact_amount_whatever_else_is_in_it() {
    let more = BODY.replace("\"pay_1\"", "\"pay_1\",\"currency\":\"EUR\"");
    for body in [BODY, &more] {
        let Ok(News::Payment(event)) = read(Some(PAYMENTS), PAYMENT_RECEIVED, body) else {
            panic!("{body}");
        };
        assert_eq!(event.outcome, Outcome::Received);
        assert_eq!(event.timestamp.to_string(), "2026-11-26T04:00:00.5Z");
        assert_eq!(event.data.amount.to_string(), "120.10");
        let again = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        assert_eq!(event, again);
    }
}

#[test]
fn other_types_and_other_sources_are_none_of_our_business() {
    for (source, event_type) in
        [(PAYMENTS, "payment.refunded"), ("shipping", PAYMENT_RECEIVED), ("payments2", "")]
    {
        let error = read(Some(source), event_type, BODY).unwrap_err();
        assert!(error.is::<UnknownType>(), "{error:#}");
    }
}

#[test]
fn a_message_without_a_source_is_a_report() {
    let report = r#"{"order_id":"0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f","service":"fulfilment",
        "attempt":1,"state":"working","steps":[{"name":"started","at":1}]}"#;
    let read = read(None, "order.fulfilment.started", report);
    assert!(matches!(read, Ok(News::Report(_))), "{read:?}");
}

#[test]
fn a_payment_that_cannot_be_read_is_described_without_its_values() {
    for (from, to) in [
        ("\"120.1\"", "\"120.123\""),
        ("\"120.1\"", "120.1"),
        ("\"120.1\"", "\"-1\""),
        ("\"pay_1\"", "\"pay 1\""),
        ("\"pay_1\"", "\"\""),
        ("0190a6e2-5b7c", "0190a6e2"),
        ("2026-11-26T04:00:00.5Z", "yesterday"),
        ("}}", "}"),
    ] {
        let body = BODY.replace(from, to);
        assert_ne!(body, BODY, "{from}");
        let error = format!("{:#}", read(Some(PAYMENTS), PAYMENT_RECEIVED, &body).unwrap_err());
        assert!(
            !error.contains("120") && !error.contains("pay_1") && !error.contains("pay 1"),
            "{error}"
        );
    }
}
