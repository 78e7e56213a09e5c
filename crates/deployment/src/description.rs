//! A deployment as data: the stacks to create, and the services that use them.

use std::collections::{BTreeMap, BTreeSet};

use crate::cloudformation::{
    expression::Expression,
    filter_policy::FilterPolicy,
    resolve,
    stack::{ResourceId, Stack},
    template::Resource,
};

pub mod operation;

pub mod measure;
pub mod scaling;

use self::operation::Operation;

/// An application in one environment.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The name of the application.
    pub application: String,
    /// The name of the environment.
    pub environment: String,
    /// The stacks, with unique names.
    pub stacks: Vec<Stack>,
    /// The services; those without subscriptions come first.
    pub services: Vec<Service>,
}

/// A service, and the resources that it uses.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// The topics that it publishes to, by the names that it knows them by.
    pub topics: BTreeMap<String, ResourceId>,
    /// The queue that it receives from.
    pub queue: Option<ServiceQueue>,
    /// The role of its tasks.
    pub role: Role,
    /// The environment variables of its container.
    pub variables: BTreeMap<String, Variable>,
    /// The environment variables whose values are kept outside the deployment's files.
    pub secrets: BTreeSet<String>,
    /// The path of its health check.
    pub health_path: String,
    /// Whether a collector of spans runs beside its container.
    pub has_span_collector: bool,
    /// How its tasks run.
    pub operation: Operation,
}

/// The kinds of services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It answers HTTP requests behind a load balancer.
    Web,
    /// It handles messages from a queue.
    Worker,
}

/// The role of a service's tasks: what it may do in the account.
///
/// The policies of queues may allow it more.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name. `CloudFormation` may append a suffix.
    pub name: String,
    /// Its policies.
    pub policies: Vec<ResourceId>,
}

/// The queue that a service receives from.
#[derive(Clone, Debug)]
pub struct ServiceQueue {
    /// The queue.
    pub queue: NamedQueue,
    /// The queue of messages that failed every attempt.
    pub dead_letters: Option<NamedQueue>,
}

/// A queue and its name.
#[derive(Clone, Debug)]
pub struct NamedQueue {
    /// The queue.
    pub id: ResourceId,
    /// Its physical name. `CloudFormation` may append a suffix.
    pub name: String,
}

/// The value of an environment variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// The name of the stack in which to evaluate it.
    pub stack: String,
    /// How to compute it.
    pub value: Expression,
}

impl Deployment {
    /// The service called `name`.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// The same without a service and its stacks. Nothing else may refer to them.
    pub fn without(mut self, name: &str) -> Self {
        let (left_out, services) = self.services.into_iter().partition(|it| it.name == name);
        self.services = services;
        let variables = left_out.iter().flat_map(|it: &Service| it.variables.values());
        let stacks: BTreeSet<_> = variables.map(|variable| &variable.stack).collect();
        self.stacks.retain(|stack| !stacks.contains(&stack.name));
        self
    }

    /// The filter policies of the subscriptions through which `service` gets its messages.
    pub fn filter_policies(&self, service: &Service) -> impl Iterator<Item = &FilterPolicy> {
        let queue = service.queue.as_ref().map(|queue| &queue.queue.id);
        // A deployment without mistakes can be imagined.
        let known = resolve::imagined(&self.stacks).ok();
        let arn = queue.zip(known.as_ref()).and_then(|(queue, known)| {
            let made = known.get(queue)?;
            made.attributes.get("Arn").cloned()
        });
        let resources = self.stacks.iter().flat_map(|stack| {
            stack.resources.values().map(move |resource| (&stack.name, &resource.value))
        });
        let policies = resources.filter_map(|(stack, resource)| match resource {
            Resource::Subscription(it) => {
                let endpoint = known.as_ref()?.evaluate(stack, &it.endpoint.expression).ok();
                it.filter_policy.as_ref().filter(|_| arn.is_some() && endpoint == arn)
            }
            _ => None,
        });
        policies.collect::<Vec<_>>().into_iter()
    }
}
