//! The contract of the events: its documents are up to date, and a change that breaks a subscriber
//! is refused.

use std::{fs, process::Command};

use account::wiretap::Published;
use orders::{
    contract::{EVENTS, EventType},
    examples::EXAMPLES,
};
use serde_json::{Value, json};
use trials::contract::{
    compatibility::breaks,
    schemas::{Documents, released, schemas},
};

mod test_system;

use test_system::{TestSystem, contract::event, webhooks::payment};

type Outcome = anyhow::Result<()>;

#[test]
fn the_documents_are_generated_from_the_types_and_the_manifests() -> Outcome {
    let check =
        Command::new(env!("CARGO_BIN_EXE_trials")).args(["contract", "--check"]).output()?;
    let (printed, errors) =
        (String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
    let advice = "run `cargo run -p trials -- contract`, and look at what changed";
    anyhow::ensure!(check.status.success(), "{printed}{errors}{advice}");
    Ok(())
}

#[test]
fn today_is_compatible_with_the_last_release() -> Outcome {
    let breaks = breaks(&released()?, &schemas());
    anyhow::ensure!(breaks.is_empty(), "{}", breaks.join("\n"));
    Ok(())
}

#[test]
fn an_example_that_is_sent_today_has_its_schema() -> Outcome {
    for example in EXAMPLES {
        let event = EventType::named(example.event).expect("a type that is described");
        let envelope: Value = serde_json::from_str(example.body)?;
        let text = envelope["Message"].as_str().expect("a message");
        let message = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        let is_sent = jsonschema::is_valid(&event.message_schema(), &message);
        assert_eq!(is_sent, example.is_current || example.file.contains("coupon"), "{example:?}");
    }
    Ok(())
}

/// Every end-to-end test checks every message; see [`test_system::contract`].
#[tokio::test]
async fn a_running_system_sends_what_the_contract_describes() -> Outcome {
    let mut test = TestSystem::start().await?;
    let id = test.order("Ada Lovelace", "80").await?;
    test.see_until(&id, |order| order["is_done"] == true).await?;
    test.logged("promotion", &["coupon granted", &id]).await?;
    test.http.post(test.url("/ping")).send().await?.error_for_status()?;
    test.webhook("payments", &payment("payment.received", &id)).await?;
    test.webhook("shipping", &json!({"type": "parcel.sent"})).await?;
    test.logged("publisher", &["webhook announced", "source=\"shipping\""]).await?;
    test.logged("publisher", &["webhook announced", "source=\"payments\""]).await?;
    let sent = test.contract.sent().clone();
    let described = EVENTS.iter().map(|event| event.name).collect();
    assert_eq!(sent, described);
    test.system.stop().await
}

#[test]
fn a_message_that_the_contract_does_not_describe_is_a_fault() {
    let published = |topic: &str, message: &str, attributes: &[(&str, &str)]| {
        let attributes =
            attributes.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let topic_arn = format!("arn:aws:sns:us-east-1:000000000000:pubsub-test-publisher-{topic}");
        Published { topic_arn, message: message.to_owned(), attributes: attributes.collect() }
    };
    let typed = [("event_type", "order.placed"), ("amount", "80.00")];
    let order =
        r#"{"id":"0190a6e2-5b7c-7cc0-98c4-dc0c0c07398f","customer":"Ada","amount":"80.00"}"#;
    let fault =
        |topic, message, attributes| event(topic, &published(topic, message, attributes)).err();
    assert_eq!(fault("ordersTopic", order, &typed), None);
    let number = order.replace(r#""80.00""#, "80");
    for (topic, message, attributes) in [
        ("ordersTopic", order, &typed[..1]),
        ("ping", order, &typed[..]),
        ("ordersTopic", "not JSON", &typed[..]),
        ("ordersTopic", r#"{"customer":"Ada","amount":"80.00"}"#, &typed[..]),
        ("ordersTopic", &number, &typed[..]),
    ] {
        assert!(fault(topic, message, attributes).is_some(), "{topic} {message} {attributes:?}");
    }
}

#[test]
fn the_guide_names_every_type_of_event() -> Outcome {
    let guide =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/events/README.md"))?;
    for event in EVENTS {
        let row = format!("| `{}` | {} |", event.name, event.version);
        assert!(guide.contains(&row), "docs/events/README.md lacks {row}");
    }
    Ok(())
}

/// A change to what is sent, and how it is judged.
struct Change {
    what: &'static str,
    /// The file of the schema that it changes.
    file: &'static str,
    /// Where in the schema, as a JSON pointer.
    at: &'static str,
    /// The value there, or none for one that is removed.
    to: Option<Value>,
    /// Whether the version of the type is raised.
    raised: bool,
    /// What the refusal contains; none if the change is allowed.
    refused: Option<&'static str>,
}

fn changed(change: &Change) -> Documents {
    let mut today = schemas();
    let schema = today.get_mut(change.file).expect("a schema");
    if change.raised {
        schema["x-version"] = json!(schema["x-version"].as_u64().unwrap_or_default() + 1);
    }
    let (parent, name) = change.at.rsplit_once('/').expect("a pointer");
    let parent = schema.pointer_mut(parent).expect("a part of the schema");
    match (parent, &change.to) {
        (Value::Array(values), Some(value)) => values.push(value.clone()),
        (Value::Array(values), None) => drop(values.remove(name.parse().expect("an index"))),
        (parent, Some(value)) => parent[name] = value.clone(),
        (parent, None) => drop(parent.as_object_mut().expect("an object").remove(name)),
    }
    today
}

fn check(change: &Change) {
    let breaks = breaks(&schemas(), &changed(change));
    let what = change.what;
    match change.refused {
        None => assert_eq!(breaks, Vec::<String>::new(), "{what}"),
        Some(expected) => {
            assert_eq!(breaks.len(), 1, "{what}: {breaks:#?}");
            assert!(breaks[0].contains(expected), "{what}: {}", breaks[0]);
        }
    }
}

const ORDER: &str = "order.placed.schema.json";
const REPORT: &str = "order.reported.schema.json";
const ATTRIBUTES: &str = "order.placed.attributes.schema.json";

fn refused(
    what: &'static str,
    (file, at): (&'static str, &'static str),
    to: Option<Value>,
    sentence: &'static str,
) {
    check(&Change { what, file, at, to, raised: true, refused: Some(sentence) });
}

#[test]
fn a_change_that_breaks_a_subscriber_is_refused() {
    refused(
        "a field is removed",
        (ORDER, "/properties/customer"),
        None,
        r#"order.placed: the field "customer" is gone: subscribers of the last release read it."#,
    );
    refused(
        "an attribute is removed",
        (ATTRIBUTES, "/properties/amount"),
        None,
        r#"order.placed.attributes: the field "amount" is gone"#,
    );
    refused(
        "a field is newly required",
        (REPORT, "/required/-"),
        Some(json!("attachments")),
        r#"the field "attachments" is required now: messages of the last release lack it"#,
    );
    refused(
        "a field is not always sent any more",
        (ORDER, "/required/0"),
        None,
        r#"the field "id" is optional now: subscribers of the last release"#,
    );
    refused(
        "a type is changed",
        (ORDER, "/properties/amount/type"),
        Some(json!("number")),
        r#"the field "amount" was string and is number"#,
    );
    refused(
        "a limit is narrowed",
        (ORDER, "/properties/customer/maxLength"),
        Some(json!(50)),
        "has the maxLength 50 and had 100: today's subscribers take messages of the last release",
    );
    refused(
        "a limit is widened",
        (ORDER, "/properties/customer/maxLength"),
        Some(json!(200)),
        "has the maxLength 200 and had 100: subscribers of the last release take today's messages",
    );
    refused(
        "a format is dropped",
        (ORDER, "/properties/id/format"),
        None,
        r#"has the format none and had "uuid": subscribers of the last release"#,
    );
    refused(
        "a value is removed",
        (REPORT, "/properties/state/oneOf/2"),
        None,
        r#"the field "state" cannot be "failed" any more: a message of the last release"#,
    );
    refused(
        "a value is added",
        (REPORT, "/properties/state/oneOf/-"),
        Some(json!({"type": "string", "const": "cancelled"})),
        r#"the field "state" can be "cancelled" now: a subscriber of the last release"#,
    );
    refused(
        "a keyword is not understood",
        (ORDER, "/properties/amount/not"),
        Some(json!({"const": "0.00"})),
        r#"changes its "not", which this check does not understand"#,
    );
    refused(
        "a field of a field is removed",
        (REPORT, "/properties/steps/items/properties/at"),
        None,
        r#"order.reported: the field "steps"[]: the field "at" is gone"#,
    );
    check(&Change {
        what: "a field is added and the version is the same",
        file: ORDER,
        at: "/properties/currency",
        to: Some(json!({"type": "string"})),
        raised: false,
        refused: Some("order.placed has changed and is still version 1"),
    });
    let mut today = schemas();
    today.remove(ORDER);
    let breaks = breaks(&schemas(), &today);
    assert!(breaks[0].starts_with("order.placed is not sent any more"), "{breaks:?}");
}

#[test]
fn a_change_that_breaks_nobody_is_allowed() {
    let allowed = |what, at, to, raised| {
        check(&Change { what, file: ORDER, at, to: Some(to), raised, refused: None });
    };
    let currency = json!({"type": "string", "enum": ["EUR", "USD"]});
    allowed("an optional field", "/properties/currency", currency, true);
    allowed("a description", "/properties/amount/description", json!("The total."), false);
    allowed("a raised version", "/x-version", json!(2), false);
    let mut today = schemas();
    today.insert("order.cancelled.schema.json".to_owned(), json!({"type": "object"}));
    assert_eq!(breaks(&schemas(), &today), Vec::<String>::new(), "a new type of event");
}
