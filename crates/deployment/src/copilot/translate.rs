//! The deployment that Copilot makes of its files.
//!
//! For each service Copilot creates a stack, and nested in it a stack of the service's addons. The
//! addons of an environment are nested in a stack of the environment.

use std::collections::BTreeMap;

use heck::ToShoutySnakeCase as _;

use super::{
    manifest::{messages::TopicName, service_type::ServiceType},
    names::Names,
    permissions::TASK_ROLE,
    service::ServiceFiles,
    workspace::Workspace,
};
use crate::{
    cloudformation::{expression::Expression, stack::Stack, template::Resource},
    description::{Deployment, Kind, NamedQueue, Role, Service, ServiceQueue, Variable},
};

mod operation;
mod own_stack;

use self::own_stack::EVENTS_QUEUE;

/// The host of the load balancer. A local account has none: the service itself answers.
const LOAD_BALANCER: &str = "localhost";

/// The deployment that `workspace` describes.
pub fn deployment(workspace: &Workspace) -> Deployment {
    let mut stacks = vec![workspace.addons.stack.clone()];
    let mut services = Vec::new();
    for files in &workspace.services {
        let names = workspace.names(&files.name);
        let own = own_stack::of(&names, files);
        services.push(service(&names, files, &own));
        stacks.extend([own, files.addons.stack.clone()]);
    }
    let (application, environment) = (workspace.application.clone(), workspace.environment.clone());
    Deployment { application, environment, stacks, services }
}

fn service(names: &Names<'_>, files: &ServiceFiles, own: &Stack) -> Service {
    let topics = files.manifest.topics().map(|topic| &topic.name.value);
    let topic_id = |topic: &TopicName| own.resource_id(&topic.logical_id());
    Service {
        name: files.name.clone(),
        kind: match files.service_type {
            ServiceType::LoadBalanced => Kind::Web,
            ServiceType::Worker => Kind::Worker,
        },
        topics: topics.map(|topic| (topic.0.clone(), topic_id(topic))).collect(),
        queue: queue(names, own).or_else(|| queue(names, &files.addons.stack)),
        role: role(names, files, own),
        variables: variables(names, files, own),
        secrets: files.manifest.secrets.keys().cloned().collect(),
        health_path: files
            .manifest
            .http
            .as_ref()
            .map_or("/", |http| http.value.health_path())
            .to_owned(),
        has_span_collector: files.manifest.observability.is_some(),
        operation: operation::of(files),
    }
}

/// The role with its policies, which are in the stack of the service and in that of its addons.
fn role(names: &Names<'_>, files: &ServiceFiles, own: &Stack) -> Role {
    let is_policy = |resource: &Resource| matches!(resource, Resource::Policy(_));
    let inline = own.resources.iter().filter(|(_, it)| is_policy(&it.value));
    let inline = inline.map(|(id, _)| own.resource_id(id));
    Role {
        name: names.physical(TASK_ROLE),
        policies: inline.chain(files.addons.policies()).collect(),
    }
}

/// The queue of a stack. Copilot names its own queues like this, and the addons follow it.
fn queue(names: &Names<'_>, stack: &Stack) -> Option<ServiceQueue> {
    let named = |id: &str| NamedQueue { id: stack.resource_id(id), name: names.physical(id) };
    let own = stack.resources.contains_key(EVENTS_QUEUE).then_some(EVENTS_QUEUE);
    let (queue, dead_letters) = match own {
        Some(queue) => (queue, stack.dead_letters(queue)),
        None => stack.queue()?,
    };
    Some(ServiceQueue { queue: named(queue), dead_letters: dead_letters.map(named) })
}

/// Copilot's own variables, the outputs of the addons, and the manifest's variables.
fn variables(names: &Names<'_>, files: &ServiceFiles, own: &Stack) -> BTreeMap<String, Variable> {
    let mut variables = copilot_variables(names, files, own);
    for (name, output) in files.addons.variables() {
        let (stack, value) =
            (files.addons.stack.name.clone(), output.value.value.expression.clone());
        variables.insert(name.to_shouty_snake_case(), Variable { stack, value });
    }
    for (name, value) in &files.manifest.variables {
        let (stack, value) = (own.name.clone(), Expression::Literal(value.text().to_owned()));
        variables.insert(name.clone(), Variable { stack, value });
    }
    variables
}

fn copilot_variables(
    names: &Names<'_>,
    files: &ServiceFiles,
    own: &Stack,
) -> BTreeMap<String, Variable> {
    let Names { application, environment, service } = names;
    let literal = |text: &str| Expression::Literal(text.to_owned());
    let mut variables = BTreeMap::from([
        ("COPILOT_APPLICATION_NAME", literal(application)),
        ("COPILOT_ENVIRONMENT_NAME", literal(environment)),
        ("COPILOT_SERVICE_NAME", literal(service)),
        (
            "COPILOT_SERVICE_DISCOVERY_ENDPOINT",
            literal(&format!("{environment}.{application}.local")),
        ),
    ]);
    match files.service_type {
        ServiceType::LoadBalanced => variables.insert("COPILOT_LB_DNS", literal(LOAD_BALANCER)),
        ServiceType::Worker => {
            variables.insert("COPILOT_QUEUE_URI", Expression::Ref(EVENTS_QUEUE.to_owned()))
        }
    };
    if let Some(arns) = topic_arns(files) {
        variables.insert("COPILOT_SNS_TOPIC_ARNS", arns);
    }
    let variables = variables.into_iter();
    variables
        .map(|(name, value)| (name.to_owned(), Variable { stack: own.name.clone(), value }))
        .collect()
}

/// A JSON object with the ARN of each topic by its name; `None` if the service owns no topic.
fn topic_arns(files: &ServiceFiles) -> Option<Expression> {
    let mut pieces = Vec::new();
    for topic in files.manifest.topics() {
        let name = &topic.name.value;
        let before = if pieces.is_empty() { "{" } else { "\"," };
        pieces.push(Expression::Literal(format!("{before}\"{}\":\"", name.0)));
        pieces.push(Expression::Ref(name.logical_id()));
    }
    let is_empty = pieces.is_empty();
    pieces.push(Expression::Literal("\"}".to_owned()));
    (!is_empty).then_some(Expression::Join(pieces))
}
