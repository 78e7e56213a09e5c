//! The template that Copilot v1.33 writes for a service, in outline.
//!
//! Copilot writes the template at deployment and needs an AWS account for it. The outline suffices
//! to check patches and the arguments of addons without one.

use std::collections::BTreeMap;

use super::{
    addons::Addons,
    manifest::{Manifest, service_type::ServiceType},
};
use crate::{
    cloudformation::{
        expression::{Data, Expression, Text, Value},
        references,
    },
    mistake::Wrong,
};

mod containers;
mod links;
mod messages;
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

/// The conditions of every service's template.
const CONDITIONS: [&str; 3] = ["IsGovCloud", "HasAddons", "HasEnvFile"];

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
        parts.extend(addons.policy_outputs().next().map(|_| "addon_policies"));
        let mut resources = parts::resources(&parts);
        resources.extend(messages::topics(manifest));
        resources.extend(messages::subscriptions(manifest));
        let zones = manifest.http.iter().flat_map(|http| http.value.zones());
        resources.extend(zones.map(|zone| {
            let names = [("HostedZoneId", Value::null()), ("Comment", Value::null())];
            let [zone_id, comment] = names;
            let properties = Value::map([zone_id, comment, ("RecordSets", Value::null())]);
            (format!("LoadBalancerDNSAlias{zone}"), Value::map([("Properties", properties)]))
        }));
        links::add(&mut resources, &parts);
        let web: &[&str] = if is_web { &WEB_PARAMETERS } else { &[] };
        let letters = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect();
        let sidecars: Vec<String> = manifest.sidecars.keys().map(|it| letters(it)).collect();
        let files = sidecars.iter().map(|it| format!("EnvFileARNFor{it}"));
        let parameters = PARAMETERS.iter().chain(web).map(|name| (*name).to_owned()).chain(files);
        let files = sidecars.iter().map(|it| format!("HasEnvFileFor{it}"));
        let web = is_web.then(|| "HasAssociatedDomain".to_owned());
        let conditions = CONDITIONS.iter().map(|name| (*name).to_owned()).chain(web).chain(files);
        let nulls = |names: Vec<String>| {
            let entries = names.into_iter().map(|name| (name, Value::null()));
            Value::made(Data::Map(entries.collect()))
        };
        let metadata = nulls(vec!["Version".to_owned(), "Manifest".to_owned()]);
        let mut sections = BTreeMap::from([
            ("Metadata".to_owned(), metadata),
            ("Parameters".to_owned(), nulls(parameters.collect())),
            ("Conditions".to_owned(), nulls(conditions.collect())),
            ("Resources".to_owned(), Value::made(Data::Map(resources))),
        ]);
        if is_web {
            let name = [("Description", Value::null()), ("Value", Value::null())];
            let export = ("Export", Value::map([("Name", Value::null())]));
            let [description, value] = name;
            let output = Value::map([description, value, export]);
            sections.insert("Outputs".to_owned(), Value::map([("DiscoveryServiceARN", output)]));
        }
        let mut outline = Self { template: Value::made(Data::Map(sections)) };
        outline.allow_topics(manifest);
        outline.allow_publishing(manifest);
        outline.attach_policies(addons);
        outline.add_containers(is_web, manifest, addons);
        outline
    }

    /// The policies of the addons, for the role of the tasks.
    fn attach_policies(&mut self, addons: &Addons) {
        let path = ["Resources", "TaskRole", "Properties", "ManagedPolicyArns"];
        if let Some(Value { data: Data::List(policies), .. }) = self.at(&path) {
            let output = |name: &str| {
                let (stack, name) = ("AddonsStack".to_owned(), format!("Outputs.{name}"));
                Value::text(Text::made(Expression::Attribute(stack, name)))
            };
            *policies = addons.policy_outputs().map(output).collect();
        }
    }

    fn add_containers(&mut self, is_web: bool, manifest: &Manifest, addons: &Addons) {
        let path = ["Resources", "TaskDefinition", "Properties", "ContainerDefinitions"];
        let Some(Value { data: Data::List(definitions), .. }) = self.at(&path) else { return };
        let own = definitions.first_mut().and_then(|it| it.child("Environment"));
        if let Some(Value { data: Data::List(variables), .. }) = own {
            *variables = containers::variables(is_web, manifest, addons);
        }
        let own = definitions.first_mut().and_then(|it| it.child("Secrets"));
        if let Some(Value { data: Data::List(secrets), .. }) = own {
            *secrets = containers::secrets(manifest);
        }
        definitions.extend(containers::sidecars(is_web, manifest, addons));
        let path = ["Resources", "ExecutionRole", "Properties", "Policies"];
        if let Some(Value { data: Data::List(policies), .. }) = self.at(&path) {
            policies.extend(manifest.sidecars.keys().map(|_| Value::null())); // their files
        }
    }

    /// Adds a statement to the queue's policy for each topic.
    fn allow_topics(&mut self, manifest: &Manifest) {
        let path = ["Resources", "QueuePolicy", "Properties", "PolicyDocument", "Statement"];
        if let Some(Value { data: Data::List(statements), .. }) = self.at(&path) {
            statements.extend(manifest.subscriptions().map(|subscription| {
                let topic = Value::text(Text::made(messages::topic_arn(subscription)));
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
