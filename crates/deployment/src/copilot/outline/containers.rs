//! The containers of a task: their variables, and those beside the service's own.

use std::collections::BTreeMap;

use heck::ToShoutySnakeCase as _;

use crate::{
    cloudformation::expression::{Data, Expression, Text, Value},
    copilot::{addons::Addons, manifest::Manifest},
};

/// What Copilot gives to every container.
const OF_ALL: [&str; 4] = [
    "COPILOT_APPLICATION_NAME",
    "COPILOT_SERVICE_DISCOVERY_ENDPOINT",
    "COPILOT_ENVIRONMENT_NAME",
    "COPILOT_SERVICE_NAME",
];

/// The properties that a patch may add to any container.
const OTHERS: [&str; 16] = [
    "Command",
    "Cpu",
    "DependsOn",
    "DockerLabels",
    "EntryPoint",
    "Essential",
    "HealthCheck",
    "LinuxParameters",
    "Memory",
    "MemoryReservation",
    "MountPoints",
    "PortMappings",
    "ReadonlyRootFilesystem",
    "Secrets",
    "StopTimeout",
    "User",
];

/// The variables of the service's own container, in the order in which Copilot writes them.
pub fn variables(is_web: bool, manifest: &Manifest, addons: &Addons) -> Vec<Value> {
    let mut variables = common(is_web, manifest, addons);
    variables.extend(manifest.variables.keys().map(|name| variable(name, Value::null())));
    variables
}

/// The secrets of the service's own container.
pub fn secrets(manifest: &Manifest) -> Vec<Value> {
    let names = manifest.secrets.keys();
    let secret =
        |name: &String| Value::map([("Name", Value::literal(name)), ("ValueFrom", Value::null())]);
    names.map(secret).collect()
}

fn common(is_web: bool, manifest: &Manifest, addons: &Addons) -> Vec<Value> {
    let attribute = |resource: &str, name: &str| {
        Value::text(Text::made(Expression::Attribute(resource.to_owned(), name.to_owned())))
    };
    let mut variables: Vec<Value> = OF_ALL.map(|name| variable(name, Value::null())).into();
    for (output, _) in addons.variables() {
        let value = attribute("AddonsStack", &format!("Outputs.{output}"));
        variables.push(variable(&output.to_shouty_snake_case(), value));
    }
    if manifest.topics().next().is_some() {
        variables.push(variable("COPILOT_SNS_TOPIC_ARNS", Value::null()));
    }
    variables.push(if is_web {
        let host = attribute("EnvControllerAction", "PublicLoadBalancerDNSName");
        variable("COPILOT_LB_DNS", host)
    } else {
        variable("COPILOT_QUEUE_URI", Value::reference("EventsQueue"))
    });
    variables
}

fn variable(name: &str, value: Value) -> Value {
    Value::map([("Name", Value::literal(name)), ("Value", value)])
}

/// The containers beside the service's own, in the order in which Copilot writes them.
pub fn sidecars(is_web: bool, manifest: &Manifest, addons: &Addons) -> Vec<Value> {
    let sidecars = manifest.sidecars.iter().map(|(name, sidecar)| {
        let mut variables = common(is_web, manifest, addons);
        let own = sidecar.value.variables();
        variables.extend(own.map(|name| variable(name, Value::null())));
        let options = Value::map([
            ("awslogs-region", Value::null()),
            ("awslogs-group", Value::reference("LogGroup")),
            ("awslogs-stream-prefix", Value::null()),
        ]);
        let log = Value::map([("LogDriver", Value::null()), ("Options", options)]);
        let mut entries = BTreeMap::from([
            ("Name".to_owned(), Value::literal(name)),
            ("Image".to_owned(), Value::null()),
            ("Environment".to_owned(), Value::list(variables)),
            ("EnvironmentFiles".to_owned(), Value::list(vec![Value::null()])),
            ("LogConfiguration".to_owned(), log),
        ]);
        entries.extend(sidecar.value.properties().map(|name| (name.to_owned(), Value::null())));
        let missing = OTHERS.iter().filter(|name| !entries.contains_key(**name));
        let missing: Vec<_> = missing.map(|name| (format!("{name}?"), Value::null())).collect();
        entries.extend(missing);
        Value::made(Data::Map(entries))
    });
    sidecars.collect()
}
