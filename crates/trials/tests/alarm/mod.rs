//! The alarms of a deployment, as its templates define them.
#![expect(clippy::unwrap_used, reason = "all of it is for tests")]
#![expect(dead_code, reason = "each suite uses a part of it")]

use std::collections::BTreeMap;

use deployment::{
    Deployment, changes_tasks,
    cloudformation::{
        resolve::{self, shown::shown},
        stack::{Declared, Stack},
        template::Resource,
    },
};
use serde_json::Value as Json;

/// An alarm.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// Its logical id, after its stack.
    pub name: String,
    pub description: String,
    /// What it watches.
    pub metrics: Vec<Metric>,
    /// How to compute what it watches from more than one metric.
    pub expression: Option<String>,
    /// What that is called.
    pub label: String,
    pub periods: usize,
    pub threshold: f64,
    pub comparison: String,
    pub missing: String,
    /// The ARNs of topics, by those who get an alarm and those who learn that it is over.
    pub actions: [Vec<String>; 2],
}

/// A metric, as CloudWatch finds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    pub id: String,
    pub namespace: String,
    pub name: String,
    pub dimensions: BTreeMap<String, String>,
    pub statistic: String,
}

impl Alarm {
    /// The condition, as a person reads it.
    pub fn condition(&self) -> String {
        let operator = match self.comparison.as_str() {
            "GreaterThanThreshold" => ">",
            "GreaterThanOrEqualToThreshold" => "≥",
            "LessThanThreshold" => "<",
            other => panic!("{other} is not known here"),
        };
        let minutes = if self.periods == 1 { "minute" } else { "minutes" };
        format!("`{}` {operator} {} for {} {minutes}", self.label, self.threshold, self.periods)
    }

    /// The entry of the runbook that it names.
    pub fn entry(&self) -> &str {
        let (_, entry) = self.description.split_once("Runbook: docs/operate.md#").unwrap();
        entry
    }
}

/// The alarms of `deployment`. What a local account does not have, such as a load balancer, is
/// called by its attribute.
pub fn alarms(deployment: &Deployment) -> Vec<Alarm> {
    let known = resolve::imagined(&deployment.stacks).unwrap();
    let stacks = deployment.stacks.iter();
    let alarms = stacks.flat_map(|stack| stack.resources.iter().map(move |it| (stack, it)));
    let read = |(stack, (id, declared)): (&Stack, (&String, &Declared<Resource>))| {
        let Resource::Alarm(properties) = &declared.value else { return None };
        if changes_tasks(stack, properties) {
            return None;
        }
        let name = format!("{}-{id}", stack.name);
        Some(alarm(name, &shown(&known, &deployment.stacks, stack, properties)))
    };
    alarms.filter_map(read).collect()
}

fn alarm(name: String, properties: &Json) -> Alarm {
    let text = |name: &str| properties[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| match &properties[name] {
        Json::String(text) => text.parse().unwrap(),
        number => number.as_f64().unwrap_or_else(|| panic!("{name} of {properties}")),
    };
    let texts = |name: &str| {
        let items = properties[name].as_array().into_iter().flatten();
        items.map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let several = properties["Metrics"].as_array();
    let computed = several.and_then(|all| all.iter().find(|it| it["Expression"].is_string()));
    let metrics = match several {
        Some(all) => all.iter().filter(|it| it["MetricStat"].is_object()).map(part).collect(),
        None => vec![metric("", properties, text("Statistic") + &text("ExtendedStatistic"))],
    };
    assert!(several.is_some() || number("Period") == 60.0, "{name}: a minute is assumed");
    Alarm {
        label: computed
            .map_or_else(|| text("MetricName"), |it| it["Label"].as_str().unwrap().into()),
        expression: computed.map(|it| it["Expression"].as_str().unwrap().to_owned()),
        metrics,
        periods: number("EvaluationPeriods") as usize,
        threshold: number("Threshold"),
        comparison: text("ComparisonOperator"),
        missing: text("TreatMissingData"),
        description: text("AlarmDescription"),
        actions: [texts("AlarmActions"), texts("OKActions")],
        name,
    }
}

fn part(part: &Json) -> Metric {
    let stat = &part["MetricStat"];
    assert_eq!(stat["Period"], 60, "a minute is assumed");
    let statistic = stat["Stat"].as_str().unwrap().to_owned();
    metric(part["Id"].as_str().unwrap(), &stat["Metric"], statistic)
}

fn metric(id: &str, of: &Json, statistic: String) -> Metric {
    let text = |value: &Json| value.as_str().unwrap_or_else(|| panic!("{of}")).to_owned();
    let dimensions = of["Dimensions"].as_array().into_iter().flatten();
    Metric {
        id: id.to_owned(),
        namespace: text(&of["Namespace"]),
        name: text(&of["MetricName"]),
        dimensions: dimensions.map(|it| (text(&it["Name"]), text(&it["Value"]))).collect(),
        statistic,
    }
}
