//! Every type of event, as data: JSON Schemas and documents are made from it.

use schemars::{Schema, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value, json};

use crate::{
    event::{AMOUNT, EVENT_TYPE, ORDER_PLACED, ORDERS_TOPIC, PING, PING_TOPIC},
    order::Order,
    payment::{PaymentEvent, SOURCE, WEBHOOK_ID, WEBHOOKS_TOPIC},
    report::{REPORT_TYPES, Report, STATUS_TOPIC},
};

/// Every type of event that the services send.
pub const EVENTS: &[EventType] = &[
    EventType {
        name: ORDER_PLACED,
        version: 1,
        summary: "An order was accepted.",
        topic: ORDERS_TOPIC,
        types: "^order\\.placed$",
        attributes: &[Attribute {
            name: AMOUNT,
            kind: "Number",
            meaning: "The total, for filter policies.",
        }],
        message: |settings| settings.into_generator().into_root_schema_for::<Order>(),
    },
    EventType {
        name: "order.reported",
        version: 1,
        summary: "A worker says what it did with an order in one attempt, so far.",
        topic: STATUS_TOPIC,
        types: REPORT_TYPES,
        attributes: &[],
        message: |settings| settings.into_generator().into_root_schema_for::<Report>(),
    },
    EventType {
        name: "payment",
        version: 1,
        summary: "The source `payments` says what became of a payment for an order.",
        topic: WEBHOOKS_TOPIC,
        types: "^payment\\.(received|failed)$",
        attributes: WEBHOOK,
        message: |settings| settings.into_generator().into_root_schema_for::<PaymentEvent>(),
    },
    EventType {
        name: "webhook",
        version: 1,
        summary: "Any other event from outside, as its source sent it.",
        topic: WEBHOOKS_TOPIC,
        types: "^[A-Za-z0-9._-]{1,128}$",
        attributes: WEBHOOK,
        message: |_| {
            let of_source = json!({"type": "string", "description": "The type of the event."});
            let properties = json!({ "type": of_source });
            json_schema!({"type": "object", "properties": properties, "required": ["type"]})
        },
    },
    EventType {
        name: PING,
        version: 1,
        summary: "A message to see arrive, with any text.",
        topic: PING_TOPIC,
        types: "^ping$",
        attributes: &[],
        message: |_| json_schema!({"type": "string", "description": "Any text; it is not JSON."}),
    },
];

/// The attributes of what came from outside.
const WEBHOOK: &[Attribute] = &[
    Attribute { name: SOURCE, kind: "String", meaning: "Who sent it, for filter policies." },
    Attribute { name: WEBHOOK_ID, kind: "String", meaning: "The source's id of the event." },
];

/// The attribute of every message that was sent while a trace was recorded.
const TRACEPARENT: Attribute = Attribute {
    name: "traceparent",
    kind: "String",
    meaning: "The trace of the sender, as in W3C Trace Context.",
};

/// A type of event: what its messages look like.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    /// Its name.
    pub name: &'static str,
    /// How many compatible versions of it there were, this one included. An incompatible one is
    /// another type.
    pub version: u32,
    /// What it says, as a sentence.
    pub summary: &'static str,
    /// The topic, as the manifest of its sender names it.
    pub topic: &'static str,
    /// The values of the attribute `event_type`, as a regular expression.
    pub types: &'static str,
    /// The message attributes besides `event_type` and `traceparent`.
    pub attributes: &'static [Attribute],
    /// Makes the JSON Schema of the message.
    message: fn(SchemaSettings) -> Schema,
}

/// A message attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its type in SNS: `String` or `Number`.
    pub kind: &'static str,
    /// What it says, as a sentence.
    pub meaning: &'static str,
}

impl EventType {
    /// The type called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        EVENTS.iter().find(|event| event.name == name)
    }

    /// The JSON Schema (draft 7, as in AsyncAPI) of the message that is sent today.
    pub fn message_schema(&self) -> Value {
        let settings = SchemaSettings::draft07().for_serialize();
        let schema = (self.message)(settings.with(|it| it.inline_subschemas = true));
        self.titled(schema.to_value(), self.name.to_owned())
    }

    /// The JSON Schema of the message attributes, each with its value as a string.
    pub fn attributes_schema(&self) -> Value {
        let mut properties = Map::new();
        let event_type = json!({
            "type": "string",
            "pattern": self.types,
            "description": "The type of the event. SNS type String.",
        });
        properties.insert(EVENT_TYPE.to_owned(), event_type);
        for Attribute { name, kind, meaning } in self.attributes.iter().chain([&TRACEPARENT]) {
            let description = format!("{meaning} SNS type {kind}.");
            let value = json!({"type": "string", "description": description});
            properties.insert((*name).to_owned(), value);
        }
        let always = self.attributes.iter().map(|attribute| attribute.name);
        let required: Vec<_> = [EVENT_TYPE].into_iter().chain(always).collect();
        let schema = json!({
            "$schema": SchemaSettings::draft07().meta_schema,
            "type": "object",
            "properties": properties,
            "required": required,
        });
        self.titled(schema, format!("{} attributes", self.name))
    }

    fn titled(&self, mut schema: Value, title: String) -> Value {
        schema["title"] = title.into();
        schema["x-version"] = self.version.into();
        schema
    }
}
