//! The topics of a service, and the subscriptions of its queue.

use std::collections::BTreeMap;

use crate::{
    cloudformation::expression::{Data, Expression, Text, Value},
    copilot::manifest::{Manifest, fifo::TopicFifo, messages::Subscription},
};

/// The ARN of a topic of another service, which Copilot composes from names.
pub fn topic_arn(Subscription { service, name, .. }: &Subscription) -> Expression {
    let literal = |text: &str| Expression::Literal(text.to_owned());
    let reference = |name: &str| Expression::Ref(name.to_owned());
    Expression::Join(vec![
        literal("arn:"),
        reference("AWS::Partition"),
        literal(":sns:"),
        reference("AWS::Region"),
        literal(":"),
        reference("AWS::AccountId"),
        literal(":"),
        reference("AppName"),
        literal("-"),
        reference("EnvName"),
        literal(&format!("-{}-{}", service.value, name.value.0)),
    ])
}

/// The topics and their policies.
pub fn topics(manifest: &Manifest) -> BTreeMap<String, Value> {
    let topics = manifest.topics();
    let resources = topics.flat_map(|topic| {
        let id = topic.name.value.logical_id();
        let is_fifo = topic.fifo.as_ref().is_some_and(TopicFifo::is_on);
        let fifo = is_fifo.then_some(["FifoTopic", "ContentBasedDeduplication"]);
        let present: Vec<&str> =
            ["TopicName", "KmsMasterKeyId"].into_iter().chain(fifo.into_iter().flatten()).collect();
        let policy = Value::map([
            ("Topics", Value::list(vec![Value::reference(&id)])),
            ("PolicyDocument", Value::map([("Statement", Value::list(vec![Value::null()]))])),
        ]);
        [
            (format!("{id}Policy"), Value::map([("Properties", policy)])),
            (id, properties(&present, &TOPIC_PROPERTIES)),
        ]
    });
    resources.collect()
}

/// The properties that a patch may add to a topic.
const TOPIC_PROPERTIES: [&str; 6] = [
    "ArchivePolicy",
    "DataProtectionPolicy",
    "DeliveryStatusLogging",
    "DisplayName",
    "Tags",
    "TracingConfig",
];

/// The properties that a patch may add to a subscription.
const SUBSCRIPTION_PROPERTIES: [&str; 5] =
    ["DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy"];

/// The subscriptions of the service's queue.
pub fn subscriptions(manifest: &Manifest) -> BTreeMap<String, Value> {
    let resources = manifest.subscriptions().map(|topic| {
        let service: String =
            (topic.service.value.chars()).filter(char::is_ascii_alphanumeric).collect();
        let id = format!("{service}{}Subscription", topic.name.value.logical_id());
        let filter = topic.filter_policy.as_ref().map(|_| "FilterPolicy");
        let present: Vec<&str> =
            ["Endpoint", "Protocol", "TopicArn"].into_iter().chain(filter).collect();
        let mut resource = properties(&present, &SUBSCRIPTION_PROPERTIES);
        let endpoint = resource.child("Properties").and_then(|it| it.child("Endpoint"));
        if let Some(endpoint) = endpoint {
            let queue = Expression::Attribute("EventsQueue".to_owned(), "Arn".to_owned());
            *endpoint = Value::text(Text::made(queue));
        }
        (id, resource)
    });
    resources.collect()
}

/// A resource that has the properties `present`, and to which a patch may add `others`.
fn properties(present: &[&str], others: &[&str]) -> Value {
    let names = present.iter().map(|name| (*name).to_owned());
    let others =
        others.iter().filter(|name| !present.contains(name)).map(|name| format!("{name}?"));
    let entries = names.chain(others).map(|name| (name, Value::null())).collect();
    Value::map([("Properties", Value::made(Data::Map(entries)))])
}
