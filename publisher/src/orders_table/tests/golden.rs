//! Every item that was ever stored is read by today's code.
//!
//! A file in `golden/` is an item in DynamoDB's JSON. Files are added and never changed.

use std::{collections::HashMap, fs, path::Path};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use outbox::Item;

use super::super::item::{PlacedOrder, read};

fn attribute(value: &Value) -> AttributeValue {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap().to_owned();
    match kind.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "M" => AttributeValue::M(attributes(value)),
        other => panic!("an attribute of type {other}"),
    }
}

fn attributes(value: &Value) -> Item {
    let entries = value.as_object().unwrap().iter();
    entries.map(|(name, value)| (name.clone(), attribute(value))).collect()
}

#[test]
fn every_item_is_read() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/orders_table/golden");
    let mut expected = HashMap::from([
        ("0.1.0-stored.json", ("stored", true, 0)),
        ("0.1.0-announced.json", ("announced", false, 0)),
        ("0.1.0-fulfilled.json", ("fulfilled", false, 1)),
        ("announced-again.json", ("announced", true, 0)),
        ("refused.json", ("stored", true, 0)),
        ("done.json", ("fulfilled", false, 1)),
        ("paid.json", ("fulfilled", false, 1)),
        // A newer version stored a state that this one does not know: that report is skipped.
        ("newer.json", ("stored", false, 0)),
    ]);
    for file in fs::read_dir(directory).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        let item = fs::read_to_string(file.path()).unwrap();
        let item = attributes(&serde_json::from_str(&item).unwrap());
        let placed: PlacedOrder = read(&item, &["fulfilment".to_owned()].into()).unwrap();
        let timeline = placed.timeline();
        let coupons = timeline.stations.iter().flat_map(|station| &station.attachments);
        let coupons = coupons.filter(|it| it.code.as_deref() == Some("K7QD-2MXA-9TRW")).count();
        let found = (timeline.state.as_str(), placed.due_at.is_some(), coupons);
        assert_eq!(Some(found), expected.remove(name.as_str()), "{name}");
        let paid = timeline.stations.iter().any(|it| it.name == "payment");
        assert_eq!(paid, name == "paid.json", "{name}");
        assert_eq!(placed.order.customer.to_string(), "Ada Lovelace", "{name}");
    }
    assert!(expected.is_empty(), "no file for {expected:?}");
}
