//! What resources wait for, and their descriptions: what their properties do not say.

use std::collections::{BTreeMap, BTreeSet};

use crate::cloudformation::expression::{Data, Expression, Text, Value};

/// What waits for what: a part of the template, a resource, and what it waits for.
const WAITS: [(&str, &str, &str); 6] = [
    ("worker", "Service", "EnvControllerAction"),
    ("http", "Service", "HTTPListenerRule"),
    ("https", "Service", "HTTPListenerRuleWithDomain"),
    ("https", "Service", "HTTPSListenerRule"),
    ("web", "AddonsStack", "EnvControllerAction"),
    ("private", "AddonsStack", "EnvControllerAction"),
];

/// The resources that Copilot does not describe.
const WITHOUT_METADATA: [&str; 11] = [
    "AutoScalingPolicyALBAverageResponseTime",
    "AutoScalingPolicyALBSumRequestCountPerTarget",
    "AutoScalingPolicyECSServiceAverageCPUUtilization",
    "AutoScalingPolicyECSServiceAverageMemoryUtilization",
    "BacklogPerTaskCalculatorLogGroup",
    "DeadLetterPolicy",
    "DynamicDesiredCountFunction",
    "EnvControllerFunction",
    "PermissionToInvokeBacklogPerTaskCalculatorLambda",
    "QueuePolicy",
    "RulePriorityFunction",
];

/// Adds both to the resources of a template that has `parts`.
pub fn add(resources: &mut BTreeMap<String, Value>, parts: &BTreeSet<&str>) {
    for (part, resource, other) in WAITS {
        if !parts.contains(part) {
            continue;
        }
        if let Some(Value { data: Data::Map(entries), .. }) = resources.get_mut(resource) {
            let waits = entries.entry("DependsOn".to_owned());
            let waits = waits.or_insert_with(|| Value::list(Vec::new()));
            if let Data::List(waits) = &mut waits.data {
                waits.push(Value::literal(other));
            }
        }
    }
    if parts.contains("scaling") {
        let service = resources.get_mut("Service").and_then(|it| it.child("Properties"));
        if let Some(count) = service.and_then(|it| it.child("DesiredCount")) {
            let (action, name) = ("DynamicDesiredCountAction", "DesiredCount");
            let count_of = Expression::Attribute(action.to_owned(), name.to_owned());
            *count = Value::text(Text::made(count_of));
        }
    }
    for (id, resource) in resources {
        let is_described = !WITHOUT_METADATA.contains(&id.as_str()) && !id.ends_with("TopicPolicy");
        if let (Data::Map(entries), true) = (&mut resource.data, is_described) {
            let metadata = Value::map([("aws:copilot:description", Value::null())]);
            entries.insert("Metadata".to_owned(), metadata);
        }
    }
}
