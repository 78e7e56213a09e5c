//! The template that Copilot v1.33 writes for a service, in outline.
//!
//! Copilot writes it when it deploys, with an AWS account at hand. What a patch or an addon's
//! parameter says about it can be checked without one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::LazyLock,
};

use super::{
    expression::{Data, Value},
    manifest::{Kind, Manifest},
    patches, references,
    stack::Stack,
    yaml::{self, Wrong},
};

/// The parts of all templates, with what each depends on.
static PARTS: LazyLock<Value> = LazyLock::new(|| {
    yaml::parse(Path::new("outline.yml"), include_str!("outline.yml"))
        .expect("the outline is a YAML file of values")
});

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

/// The parameters that a template has besides if there is a load balancer.
const WEB_PARAMETERS: [&str; 6] =
    ["ContainerPort", "DNSDelegated", "HTTPSEnabled", "RulePath", "TargetContainer", "TargetPort"];

/// A service's template.
#[derive(Clone, Debug)]
pub struct Outline {
    /// `Parameters`, `Conditions`, `Resources` and `Outputs`.
    pub template: Value,
}

impl Outline {
    /// What Copilot makes of `manifest` and `addons`.
    pub fn of(kind: Kind, manifest: &Manifest, addons: &Stack) -> Self {
        let mut parts = manifest.parts();
        parts.insert(if kind == Kind::Web { "web" } else { "worker" });
        parts.extend(addons.variables().next().map(|_| "addon_variables"));
        parts.extend(addons.has_policy_output().then_some("addon_policies"));
        let mut resources = match pruned(PARTS.clone(), &parts).data {
            Data::Map(resources) => resources,
            _ => BTreeMap::new(),
        };
        resources.retain(|name, _| !name.ends_with('?'));
        resources.extend(topics(manifest));
        resources.extend(subscriptions(manifest));
        let web: &[&str] = if kind == Kind::Web { &WEB_PARAMETERS } else { &[] };
        let parameters = PARAMETERS.iter().chain(web).map(|name| ((*name).to_owned(), nothing()));
        let template = Value::map([
            ("Parameters", Value::made(Data::Map(parameters.collect()))),
            ("Conditions", Value::map([])),
            ("Resources", Value::made(Data::Map(resources))),
            ("Outputs", Value::map([])),
        ]);
        let mut outline = Self { template };
        outline.let_topics_send(manifest);
        outline
    }

    /// One statement more in the queue's policy for each topic.
    fn let_topics_send(&mut self, manifest: &Manifest) {
        let path = ["Resources", "QueuePolicy", "Properties", "PolicyDocument", "Statement"];
        if let Some(Value { data: Data::List(statements), .. }) = self.at(&path) {
            statements.extend(manifest.subscriptions().map(|_| {
                let keys = ["Effect", "Principal", "Action", "Resource", "Condition"];
                Value::map(keys.map(|key| (key, nothing())))
            }));
        }
    }

    /// Passes `argument` to the nested stack of the addons.
    pub fn tell_addons(&mut self, name: &str, argument: Value) {
        let path = ["Resources", "AddonsStack", "Properties", "Parameters"];
        if let Some(Value { data: Data::Map(parameters), .. }) = self.at(&path) {
            parameters.insert(name.to_owned(), argument);
        }
    }

    /// What is at `path` in the template.
    fn at(&mut self, path: &[&str]) -> Option<&mut Value> {
        path.iter().try_fold(&mut self.template, |value, token| patches::child(value, token))
    }

    /// Whether everything that `value` refers to exists.
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

    /// A circle of references, as a sentence.
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

/// `value` without the parts that do not hold. In a map, their names are kept with a `?`.
fn pruned(value: Value, parts: &BTreeSet<&str>) -> Value {
    let data = match value.data {
        Data::Map(entries) => Data::Map(
            entries
                .into_iter()
                .filter(|(name, _)| name != "when")
                .map(|(name, value)| {
                    if holds(&value, parts) {
                        (name, pruned(value, parts))
                    } else {
                        (format!("{name}?"), nothing())
                    }
                })
                .collect(),
        ),
        Data::List(values) => Data::List(
            values
                .into_iter()
                .filter(|value| holds(value, parts))
                .map(|value| pruned(value, parts))
                .collect(),
        ),
        data => data,
    };
    Value { data, ..value }
}

/// A list of which nothing is left does not hold either.
fn holds(value: &Value, parts: &BTreeSet<&str>) -> bool {
    match &value.data {
        Data::Map(entries) => {
            let when = entries.get("when").and_then(references::literal);
            when.is_none_or(|part| parts.contains(part))
        }
        Data::List(values) => values.is_empty() || values.iter().any(|value| holds(value, parts)),
        Data::Plain(_) | Data::Text(_) => true,
    }
}

/// A topic and its policy.
fn topics(manifest: &Manifest) -> BTreeMap<String, Value> {
    let topics = manifest.publish.iter().flat_map(|publish| &publish.topics);
    let resources = topics.flat_map(|topic| {
        let id = format!("{}SNSTopic", topic.name.value.letters());
        let policy = Value::map([
            ("Topics", Value::list(vec![Value::reference(&id)])),
            ("PolicyDocument", Value::map([("Statement", Value::list(vec![nothing()]))])),
        ]);
        [
            (format!("{id}Policy"), Value::map([("Properties", policy)])),
            (id, properties(&["TopicName", "KmsMasterKeyId"], &TOPIC_PROPERTIES)),
        ]
    });
    resources.collect()
}

/// What a patch may add to a topic.
const TOPIC_PROPERTIES: [&str; 6] = [
    "ArchivePolicy",
    "DataProtectionPolicy",
    "DeliveryStatusLogging",
    "DisplayName",
    "Tags",
    "TracingConfig",
];

/// What a patch may add to a subscription.
const SUBSCRIPTION_PROPERTIES: [&str; 5] =
    ["DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy"];

fn subscriptions(manifest: &Manifest) -> BTreeMap<String, Value> {
    let resources = manifest.subscriptions().map(|topic| {
        let service: String =
            (topic.service.value.chars()).filter(char::is_ascii_alphanumeric).collect();
        let id = format!("{service}{}SNSTopicSubscription", topic.name.value.letters());
        let filter = topic.filter_policy.as_ref().map(|_| "FilterPolicy");
        let there: Vec<&str> =
            ["Endpoint", "Protocol", "TopicArn"].into_iter().chain(filter).collect();
        (id, properties(&there, &SUBSCRIPTION_PROPERTIES))
    });
    resources.collect()
}

/// A resource that has the properties `there` and may have `others`.
fn properties(there: &[&str], others: &[&str]) -> Value {
    let there_names = there.iter().map(|name| (*name).to_owned());
    let others = others.iter().filter(|name| !there.contains(name)).map(|name| format!("{name}?"));
    let entries = there_names.chain(others).map(|name| (name, nothing())).collect();
    Value::map([("Properties", Value::made(Data::Map(entries)))])
}

fn nothing() -> Value {
    Value::made(Data::Plain(serde_json::Value::Null))
}

#[cfg(test)]
mod tests {
    use super::{PARTS, pruned, references};
    use crate::copilot::expression::Data;

    #[test]
    fn the_outline_refers_only_to_itself_and_in_no_circle() {
        let parts = [
            "addon_variables",
            "addon_policies",
            "arm",
            "backlog_scaling",
            "cpu_scaling",
            "dead_letter",
            "health_check",
            "memory_scaling",
            "publish",
            "request_scaling",
            "response_scaling",
            "scaling",
            "tracing",
            "web",
            "worker",
        ];
        let Data::Map(resources) = pruned(PARTS.clone(), &parts.into()).data else {
            panic!("the outline is a map");
        };
        for (id, resource) in &resources {
            assert!(!id.ends_with('?'), "{id}");
            for (name, place) in references::of(resource) {
                assert!(resources.contains_key(name), "{id}: {name} at {place:?}");
            }
        }
        assert_eq!(references::circle(&resources), None);
    }
}
