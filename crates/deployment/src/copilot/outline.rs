//! The template that Copilot v1.33 writes for a service, in outline.
//!
//! Copilot writes the template at deployment and needs an AWS account for it. The outline suffices
//! to check patches and the arguments of addons without one.

use std::collections::BTreeMap;

use super::{
    addons::Addons,
    manifest::{Manifest, fifo::TopicFifo, messages::Subscription, service_type::ServiceType},
};
use crate::{
    cloudformation::{
        expression::{Data, Expression, Text, Value},
        references,
    },
    mistake::Wrong,
};

mod parts;

/// The parameters of every service's template.
const PARAMETERS: [&str; 11] = [
    "AddonsTemplateURL",
    "AppName",
    "ArtifactKeyARN",
    "ContainerImage",
    "EnvFileARN",
    "EnvName",
    "LogRetention",
    "TaskCPU",
    "TaskCount",
    "TaskMemory",
    "WorkloadName",
];

/// The additional parameters of a service behind a load balancer.
const WEB_PARAMETERS: [&str; 6] =
    ["ContainerPort", "DNSDelegated", "HTTPSEnabled", "RulePath", "TargetContainer", "TargetPort"];

/// A service's template.
#[derive(Clone, Debug)]
pub struct Outline {
    /// `Parameters`, `Conditions`, `Resources` and `Outputs`.
    pub template: Value,
}

impl Outline {
    /// The template for `manifest` and `addons`.
    pub fn of(service_type: ServiceType, manifest: &Manifest, addons: &Addons) -> Self {
        let is_web = service_type == ServiceType::LoadBalanced;
        let mut parts = manifest.parts();
        parts.insert(if is_web { "web" } else { "worker" });
        parts.extend(addons.variables().next().map(|_| "addon_variables"));
        parts.extend(addons.has_policy_output().then_some("addon_policies"));
        let mut resources = parts::resources(&parts);
        resources.extend(topics(manifest));
        resources.extend(subscriptions(manifest));
        let web: &[&str] = if is_web { &WEB_PARAMETERS } else { &[] };
        let parameters =
            PARAMETERS.iter().chain(web).map(|name| ((*name).to_owned(), Value::null()));
        let template = Value::map([
            ("Parameters", Value::made(Data::Map(parameters.collect()))),
            ("Conditions", Value::map([])),
            ("Resources", Value::made(Data::Map(resources))),
            ("Outputs", Value::map([])),
        ]);
        let mut outline = Self { template };
        outline.allow_topics(manifest);
        outline.allow_publishing(manifest);
        outline
    }

    /// Adds a statement to the queue's policy for each topic.
    fn allow_topics(&mut self, manifest: &Manifest) {
        let path = ["Resources", "QueuePolicy", "Properties", "PolicyDocument", "Statement"];
        if let Some(Value { data: Data::List(statements), .. }) = self.at(&path) {
            statements.extend(manifest.subscriptions().map(|subscription| {
                let topic = Value::text(Text::made(topic_arn(subscription)));
                let queue = Expression::Attribute("EventsQueue".to_owned(), "Arn".to_owned());
                let source = Value::map([("aws:SourceArn", topic)]);
                Value::map([
                    ("Effect", Value::literal("Allow")),
                    ("Principal", Value::map([("Service", Value::literal("sns.amazonaws.com"))])),
                    ("Action", Value::list(vec![Value::literal("sqs:SendMessage")])),
                    ("Resource", Value::text(Text::made(queue))),
                    ("Condition", Value::map([("ArnEquals", source)])),
                ])
            }));
        }
    }

    /// Adds the topics to the policy that allows to publish to them.
    fn allow_publishing(&mut self, manifest: &Manifest) {
        let Some(policies) = self.at(&["Resources", "TaskRole", "Properties", "Policies"]) else {
            return;
        };
        let Data::List(policies) = &mut policies.data else { return };
        let publishing = policies.iter_mut().find(|policy| {
            let name = policy.entries().and_then(|it| it.get("PolicyName"));
            name.and_then(Value::as_literal) == Some("Publish2SNS")
        });
        let path = ["PolicyDocument", "Statement", "0", "Resource"];
        let resource = publishing
            .and_then(|policy| path.iter().try_fold(policy, |value, token| value.child(token)));
        if let Some(resource) = resource {
            let topics = manifest.topics();
            let topics = topics.map(|topic| Value::reference(&topic.name.value.logical_id()));
            resource.data = Data::List(topics.collect());
        }
    }

    /// The resources, by logical id.
    pub fn resources(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.section("Resources").into_iter().flatten()
    }

    /// Passes `argument` to the nested stack of the addons.
    pub fn pass_to_addons(&mut self, name: &str, argument: Value) {
        let path = ["Resources", "AddonsStack", "Properties", "Parameters"];
        if let Some(Value { data: Data::Map(parameters), .. }) = self.at(&path) {
            parameters.insert(name.to_owned(), argument);
        }
    }

    /// The value at `path` in the template.
    fn at(&mut self, path: &[&str]) -> Option<&mut Value> {
        path.iter().try_fold(&mut self.template, |value, token| value.child(token))
    }

    /// Checks that everything that `value` refers to exists.
    ///
    /// # Errors
    ///
    /// The first reference that leads nowhere.
    pub fn check_references(&self, value: &Value) -> Result<(), Wrong> {
        for (name, place) in references::of(value) {
            let declared = ["Parameters", "Resources"]
                .into_iter()
                .filter_map(|section| self.section(section))
                .any(|section| section.contains_key(name));
            if !declared && !name.starts_with("AWS::") {
                return Err((place, format!("Copilot's template has no {name} here")));
            }
        }
        Ok(())
    }

    /// A circle of references between resources, as a sentence.
    pub fn circle(&self) -> Option<String> {
        let circle = references::circle(self.section("Resources")?)?;
        Some(format!("the resources refer to one another in a circle: {}", circle.join(" → ")))
    }

    fn section(&self, name: &str) -> Option<&BTreeMap<String, Value>> {
        let Data::Map(sections) = &self.template.data else {
            return None;
        };
        match &sections.get(name)?.data {
            Data::Map(section) => Some(section),
            _ => None,
        }
    }
}

/// The ARN of a topic of another service, which Copilot composes from names.
fn topic_arn(Subscription { service, name, .. }: &Subscription) -> Expression {
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
fn topics(manifest: &Manifest) -> BTreeMap<String, Value> {
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

fn subscriptions(manifest: &Manifest) -> BTreeMap<String, Value> {
    let resources = manifest.subscriptions().map(|topic| {
        let service: String =
            (topic.service.value.chars()).filter(char::is_ascii_alphanumeric).collect();
        let id = format!("{service}{}Subscription", topic.name.value.logical_id());
        let filter = topic.filter_policy.as_ref().map(|_| "FilterPolicy");
        let present: Vec<&str> =
            ["Endpoint", "Protocol", "TopicArn"].into_iter().chain(filter).collect();
        (id, properties(&present, &SUBSCRIPTION_PROPERTIES))
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
