//! The services: what their task definitions, roles and load balancers say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::{
    cloudformation::{
        expression::{Data, Expression, Text, Value},
        resolve::known::Known,
        stack::{Declared, ResourceId, Stack},
        template::Resource,
    },
    description::{Kind, NamedQueue, Role, Service, ServiceQueue, Variable},
    mistake::{Mistake, Wrong},
};

mod operation;
mod scaling;

/// The variable with a service's topics, as a JSON object of names and ARNs.
const TOPICS: &str = "COPILOT_SNS_TOPIC_ARNS";
/// What a service may do with the queue that it receives from.
const RECEIVE: &str = "sqs:ReceiveMessage";

/// The services of stacks whose resources exist in an imaginary account.
pub struct Services<'a> {
    /// The stacks.
    pub stacks: &'a [Stack],
    /// The resources.
    pub known: &'a Known<'a>,
}

/// The resources that make a service.
struct Parts<'a> {
    stack: &'a Stack,
    /// The logical id of the ECS service.
    id: &'a str,
    service: &'a Value,
    task: &'a Declared<Resource>,
    definition: &'a Value,
    /// The container of the service itself, which comes first.
    container: &'a Value,
}

impl Services<'_> {
    /// Reads all services.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`] in one.
    pub fn read(&self) -> Result<Vec<Service>, Mistake> {
        let mut services = Vec::new();
        for stack in self.stacks {
            for (id, service) in others(stack, "AWS::ECS::Service") {
                let parts = parts(stack, id, service);
                let missing = || {
                    let what = format!("Resources.{id}: its TaskDefinition should be a !Ref");
                    Mistake::at(&stack.resources[id].file, service.location, what)
                };
                services.push(self.service(&parts.ok_or_else(missing)?)?);
            }
        }
        Ok(services)
    }

    fn service(&self, parts: &Parts<'_>) -> Result<Service, Mistake> {
        let file = &parts.task.file;
        let in_file = |wrong: Wrong| Mistake::from_wrong(file, wrong);
        let name = self.text(parts, parts.container, &["Name"]).map_err(in_file)?;
        let variables = self.variables(parts).map_err(in_file)?;
        let role = self.role(parts).map_err(in_file)?;
        let topics = self.topics(&variables);
        let queue = self.queue(&role);
        let mut operation = self.operation(parts).map_err(in_file)?;
        operation.scaling = self.scaling(parts, queue.as_ref())?;
        Ok(Service {
            name,
            kind: if operation.balancing.is_some() { Kind::Web } else { Kind::Worker },
            topics,
            queue,
            role,
            secrets: self.secrets(parts).map_err(in_file)?,
            variables,
            health_path: (operation.balancing.as_ref())
                .map_or("/", |balancing| &balancing.health_path)
                .to_owned(),
            has_span_collector: operation.collector_image.is_some(),
            operation,
        })
    }

    fn variables(&self, parts: &Parts<'_>) -> Result<BTreeMap<String, Variable>, Wrong> {
        let mut variables = BTreeMap::new();
        let environment = parts.container.at(&["Environment"]).map(Value::items);
        for variable in environment.unwrap_or_default() {
            let name = self.text(parts, variable, &["Name"])?;
            let value = variable.at(&["Value"]).and_then(Value::as_expression).cloned();
            let Some(value) = value else {
                return Err((variable.location, format!("{name}: its Value should be a text")));
            };
            let stack = parts.stack.name.clone();
            if variables.insert(name.clone(), Variable { stack, value }).is_some() {
                return Err((variable.location, format!("{name} is set twice")));
            }
        }
        Ok(variables)
    }

    /// The names of the variables whose values ECS reads when it starts a task.
    fn secrets(&self, parts: &Parts<'_>) -> Result<BTreeSet<String>, Wrong> {
        let secrets = parts.container.at(&["Secrets"]).map(Value::items).unwrap_or_default();
        secrets.iter().map(|secret| self.text(parts, secret, &["Name"])).collect()
    }

    fn role(&self, parts: &Parts<'_>) -> Result<Role, Wrong> {
        let stack = parts.stack;
        let missing = || {
            let what = "TaskRoleArn should be the Arn of a role of the same template";
            (parts.definition.location, what.to_owned())
        };
        let role = parts.definition.at(&["TaskRoleArn"]).and_then(Value::as_expression);
        let Some(Expression::Attribute(id, _)) = role else { return Err(missing()) };
        let declared = stack.resources.get(id).ok_or_else(missing)?;
        let Resource::Role { managed_policies, .. } = &declared.value else {
            return Err(missing());
        };
        let inline = stack.resources.keys().filter(|it| it.starts_with(&format!("{id}.")));
        let mut policies: Vec<ResourceId> = inline.map(|it| stack.resource_id(it)).collect();
        for policy in managed_policies {
            let arn = self.known.evaluate(&stack.name, policy);
            let found = arn.ok().and_then(|arn| self.known.find(&arn)).ok_or_else(|| {
                let what = "ManagedPolicyArns: only policies of these templates are supported";
                (declared.location, what.to_owned())
            });
            policies.push(found?.clone());
        }
        Ok(Role { name: format!("{}-{id}", stack.name), policies })
    }

    /// The topics are in a variable, because that is how the service finds them.
    fn topics(&self, variables: &BTreeMap<String, Variable>) -> BTreeMap<String, ResourceId> {
        let json =
            variables.get(TOPICS).and_then(|it| self.known.evaluate(&it.stack, &it.value).ok());
        let arns = json.and_then(|it| serde_json::from_str::<BTreeMap<String, String>>(&it).ok());
        let topics = arns.into_iter().flatten();
        topics.filter_map(|(name, arn)| Some((name, self.known.find(&arn)?.clone()))).collect()
    }

    /// The queue that the role may receive from.
    fn queue(&self, role: &Role) -> Option<ServiceQueue> {
        let received: BTreeSet<_> = (role.policies.iter())
            .flat_map(|policy| self.received_from(policy))
            .filter_map(|arn| self.known.find(&arn))
            .collect();
        let id = received.into_iter().next()?;
        let Resource::Queue(queue) = &self.stack(&id.stack)?.resources.get(&id.id)?.value else {
            return None;
        };
        let dead_letters = queue.redrive_policy.as_ref().and_then(|policy| {
            let arn = self.known.evaluate(&id.stack, &policy.dead_letter_target_arn.expression);
            self.known.find(&arn.ok()?)
        });
        Some(ServiceQueue { queue: named(id), dead_letters: dead_letters.map(named) })
    }

    /// The ARNs that a policy allows to receive from.
    fn received_from(&self, policy: &ResourceId) -> Vec<String> {
        let resource = self.stack(&policy.stack).and_then(|it| it.resources.get(&policy.id));
        let Some(Resource::Policy(document)) = resource.map(|it| &it.value) else {
            return Vec::new();
        };
        let Ok(document) = self.known.json(&policy.stack, document) else { return Vec::new() };
        let statements = as_list(&document["Statement"]);
        let receives =
            |statement: &&Json| as_list(&statement["Action"]).iter().any(|it| **it == RECEIVE);
        let resources =
            statements.into_iter().filter(receives).flat_map(|it| as_list(&it["Resource"]));
        resources.filter_map(|it| it.as_str().map(str::to_owned)).collect()
    }

    fn stack(&self, name: &str) -> Option<&Stack> {
        self.stacks.iter().find(|stack| stack.name == name)
    }

    /// The text at `path` of `value`, with parameters replaced.
    fn text(&self, parts: &Parts<'_>, value: &Value, path: &[&str]) -> Result<String, Wrong> {
        let missing = || (value.location, format!("{} should be a text", path.join(".")));
        let at = value.at(path).ok_or_else(missing)?;
        match &at.data {
            Data::Text(Text { location, expression }) => {
                let text = self.known.evaluate(&parts.stack.name, expression);
                text.map_err(|why| (*location, format!("{}: {why}", path.join("."))))
            }
            Data::Plain(plain) if !plain.is_null() => Ok(plain.to_string()),
            _ => Err(missing()),
        }
    }

    /// The number at `path` of `value`; `None` if there is nothing.
    fn number(
        &self,
        parts: &Parts<'_>,
        value: &Value,
        path: &[&str],
    ) -> Result<Option<u32>, Wrong> {
        let Some(at) = value.at(path) else { return Ok(None) };
        let text = self.text(parts, value, path)?;
        let what = || (at.location, format!("{}: {text:?} is not a number", path.join(".")));
        text.parse().map(Some).map_err(|_| what())
    }
}

/// The resources of a type that a local account does not need, with their properties.
fn others<'a>(stack: &'a Stack, wanted: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    stack.resources.iter().filter_map(move |(id, declared)| match &declared.value {
        Resource::Other(kind, properties) if kind == wanted => Some((id.as_str(), properties)),
        _ => None,
    })
}

fn parts<'a>(stack: &'a Stack, id: &'a str, service: &'a Value) -> Option<Parts<'a>> {
    let Some(Expression::Ref(task)) = service.at(&["TaskDefinition"])?.as_expression() else {
        return None;
    };
    let task = stack.resources.get(task)?;
    let Resource::Other(_, definition) = &task.value else { return None };
    let container = definition.at(&["ContainerDefinitions", "0"])?;
    Some(Parts { stack, id, service, task, definition, container })
}

fn named(id: &ResourceId) -> NamedQueue {
    NamedQueue { id: id.clone(), name: format!("{}-{}", id.stack, id.id) }
}

/// The items of a list, or a single value.
fn as_list(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(items) => items.iter().collect(),
        other => vec![other],
    }
}
