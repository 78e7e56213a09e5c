//! Checks every message that the services of a test publish against its schema.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
    thread,
};

use account::{
    provision::{Account, Target},
    wiretap::Published,
};
use jsonschema::Validator;
use orders::contract::{EVENTS, EventType};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

/// The schemas of each type of event.
static SCHEMAS: LazyLock<Vec<Schemas>> = LazyLock::new(|| EVENTS.iter().map(schemas).collect());

struct Schemas {
    event: EventType,
    attributes: Validator,
    message: Validator,
    /// Whether the message is a text, and not JSON.
    is_text: bool,
}

fn schemas(event: &EventType) -> Schemas {
    let [attributes, message] = [event.attributes_schema(), event.message_schema()];
    let is_text = message["type"] == "string";
    let validator = |schema| jsonschema::validator_for(&schema).expect("a schema");
    Schemas {
        event: *event,
        attributes: validator(attributes),
        message: validator(message),
        is_text,
    }
}

/// What the services of a system publish. Dropping it fails the test if a message is not as the
/// contract says.
pub struct Contract {
    /// The names of the topics, by ARN.
    topics: BTreeMap<String, String>,
    /// None if the account is another process.
    published: Option<UnboundedReceiver<Published>>,
    sent: BTreeSet<&'static str>,
    faults: Vec<String>,
}

impl Contract {
    /// Checks what is published in an account from now on.
    pub fn of(target: &Target, account: &Account) -> Self {
        let published = target.wiretap.as_ref().map(|wiretap| wiretap.listen());
        let (topics, sent) = (BTreeMap::new(), BTreeSet::new());
        let mut contract = Self { topics, published, sent, faults: Vec::new() };
        contract.know(account);
        contract
    }

    /// Takes the topics of `account` for known. Messages to others are faults.
    pub fn know(&mut self, account: &Account) {
        let topics = account.services.iter().flat_map(|service| &service.topics);
        self.topics.extend(topics.map(|(name, arn)| (arn.clone(), name.clone())));
    }

    /// The types of the events that were published so far.
    pub fn sent(&mut self) -> &BTreeSet<&'static str> {
        while let Some(Ok(published)) = self.published.as_mut().map(UnboundedReceiver::try_recv) {
            let topic = self.topics.get(&published.topic_arn).map_or("", String::as_str);
            match event(topic.trim_end_matches(".fifo"), &published) {
                Ok(event) => drop(self.sent.insert(event.name)),
                Err(fault) => self.faults.push(fault),
            }
        }
        &self.sent
    }
}

impl Drop for Contract {
    fn drop(&mut self) {
        self.sent();
        if !thread::panicking() {
            assert!(self.faults.is_empty(), "not as the contract says: {:#?}", self.faults);
        }
    }
}

/// The type of event that a message of `topic` is of, or what is wrong with it.
pub fn event(topic: &str, published: &Published) -> Result<EventType, String> {
    let Published { topic_arn, message, attributes } = published;
    let attributes = json!(attributes);
    let is_of = |it: &&Schemas| topic == it.event.topic && it.attributes.is_valid(&attributes);
    let Some(Schemas { event, message: schema, is_text, .. }) = SCHEMAS.iter().find(is_of) else {
        return Err(format!("{topic_arn} has no event with the attributes {attributes}"));
    };
    let value = if *is_text { Ok(json!(message)) } else { serde_json::from_str::<Value>(message) };
    let value = value.map_err(|error| format!("{}: {error}: {message}", event.name))?;
    let wrong = schema.validate(&value);
    wrong.map_err(|wrong| format!("{}: {wrong}, at {}", event.name, wrong.instance_path()))?;
    Ok(*event)
}
