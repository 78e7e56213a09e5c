//! What a service's own stack permits, with the patches applied: the policies of the role of its
//! tasks, and those of its queues.

use super::outline::Outline;
use crate::{
    cloudformation::{
        expression::{Data, Expression, Text, Value},
        policy::{self, Attached},
        template::messaging::QueuePolicy,
    },
    mistake::Wrong,
};

/// The logical id of the role.
pub const TASK_ROLE: &str = "TaskRole";

/// The policies of a service's own stack.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    /// The policies of the role, by name.
    pub of_role: Vec<(String, Value)>,
    /// The policies of queues, by logical id.
    pub of_queues: Vec<(String, QueuePolicy)>,
}

impl Permissions {
    /// Those in `outline`.
    ///
    /// # Errors
    ///
    /// The first part that is not understood here. It comes from a patch.
    pub fn of(outline: &Outline) -> Result<Self, Wrong> {
        let mut permissions = Self::default();
        for (id, resource) in outline.resources() {
            let entries = resource.entries();
            let kind = entries.and_then(|it| it.get("Type")).and_then(Value::as_literal);
            let properties = entries.and_then(|it| it.get("Properties"));
            match (kind, properties) {
                (Some("AWS::IAM::Role"), Some(role)) if id == TASK_ROLE => {
                    permissions.of_role = of_role(role)?;
                }
                (Some("AWS::SQS::QueuePolicy"), Some(properties)) => {
                    permissions.of_queues.push((id.clone(), of_queue(id, properties)?));
                }
                (Some(kind @ ("AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy")), _) => {
                    let what = format!("value: {kind} is not understood here; {INSTEAD}");
                    return Err((resource.location, what));
                }
                _ => {}
            }
        }
        Ok(permissions)
    }
}

/// The nested stack of the addons, whose policies are attached.
const ADDONS: &str = "AddonsStack";
/// Where a patch may put permissions.
const INSTEAD: &str = "add to the policies of TaskRole or of the queue, or write an addon";

fn of_role(role: &Value) -> Result<Vec<(String, Value)>, Wrong> {
    let Some(properties) = role.entries() else {
        return Err((role.location, format!("value: {TASK_ROLE} should be a map")));
    };
    let of_addons = |it: &&Value| match it.as_expression() {
        Some(Expression::Attribute(stack, _)) => stack == ADDONS,
        _ => false,
    };
    let managed = properties.get("ManagedPolicyArns").map(Value::items).unwrap_or_default();
    let foreign = managed.iter().find(|it| !of_addons(it));
    if let Some(foreign) = foreign.or_else(|| properties.get("PermissionsBoundary")) {
        let what = format!("value: policies by their ARN are not understood here; {INSTEAD}");
        return Err((foreign.location, what));
    }
    let mut policies = Vec::new();
    for inline in properties.get("Policies").into_iter().flat_map(Value::items) {
        let entry = |name| inline.entries().and_then(|it| it.get(name));
        let name = entry("PolicyName").and_then(Value::as_literal);
        let (Some(name), Some(document)) = (name, entry("PolicyDocument")) else {
            let what = "value: a policy of a role has a PolicyName and a PolicyDocument";
            return Err((inline.location, what.to_owned()));
        };
        policy::check(document, Attached::ToRole)?;
        policies.push((name.to_owned(), document.clone()));
    }
    Ok(policies)
}

fn of_queue(id: &str, properties: &Value) -> Result<QueuePolicy, Wrong> {
    let property = |name| properties.entries().and_then(|it| it.get(name));
    let (Some(queues), Some(document)) = (property("Queues"), property("PolicyDocument")) else {
        let what = format!("value: {id} should have Queues and a PolicyDocument");
        return Err((properties.location, what));
    };
    policy::check(document, Attached::ToResource)?;
    let text = |queue: &Value| match &queue.data {
        Data::Text(text) => Ok(text.clone()),
        _ => Err((queue.location, format!("value: a queue of {id} should be a !Ref"))),
    };
    let queues = queues.items().iter().map(text).collect::<Result<Vec<Text>, _>>()?;
    Ok(QueuePolicy { queues, policy_document: document.clone() })
}
