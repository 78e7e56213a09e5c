//! Alarms and metrics in the templates, and what docs/operate.md says of them.
#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use deployment::{
    Deployment,
    cloudformation::{
        resolve::{self, shown::shown},
        template::Resource,
    },
    copilot, infrastructure,
};
use serde_json::Value as Json;

mod alarm;
mod guide;

use alarm::{Alarm, Metric, alarms};

/// What an entry of the runbook answers.
const QUESTIONS: [&str; 6] = [
    "**What it means**",
    "**What a user notices**",
    "**How to look**",
    "**What to do**",
    "**It is over when**",
    "**Why ",
];

/// The metrics of AWS that alarms and dashboard may use, and their dimensions:
/// see "AWS services that publish CloudWatch metrics" in CloudWatch's user guide.
const OF_AWS: [(&str, &str, &[&str]); 16] = [
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", &["QueueName"]),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", &["QueueName"]),
    ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", &["LoadBalancer", "TargetGroup"]),
    ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", &["LoadBalancer"]),
    ("AWS/ApplicationELB", "RequestCount", &["LoadBalancer", "TargetGroup"]),
    ("AWS/ApplicationELB", "TargetResponseTime", &["LoadBalancer", "TargetGroup"]),
    ("AWS/ApplicationELB", "HealthyHostCount", &["LoadBalancer", "TargetGroup"]),
    ("AWS/DynamoDB", "ThrottledRequests", &["Operation", "TableName"]),
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", &["TableName"]),
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits", &["TableName"]),
    ("AWS/SNS", "NumberOfMessagesPublished", &["TopicName"]),
    ("AWS/SQS", "NumberOfMessagesReceived", &["QueueName"]),
    ("AWS/SQS", "NumberOfMessagesDeleted", &["QueueName"]),
    ("AWS/SQS", "NumberOfEmptyReceives", &["QueueName"]),
    ("AWS/Logs", "IncomingBytes", &["LogGroupName"]),
    ("AWS/ECS", "CPUUtilization", &["ClusterName", "ServiceName"]),
];

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

fn both() -> [(&'static str, Deployment); 2] {
    let copilot = copilot::read(&directory("copilot"), "test").unwrap();
    let infrastructure = infrastructure::read(&directory("infrastructure"), "test").unwrap();
    [("copilot", copilot), ("infrastructure", infrastructure)]
}

/// Whether the services or AWS have such a metric.
fn exists(deployment: &Deployment, namespace: &str, name: &str, dimensions: &[&str]) -> bool {
    let dimensions: BTreeSet<&str> = dimensions.iter().copied().collect();
    let prefix = format!("{}-{}-", deployment.application, deployment.environment);
    match namespace.strip_prefix(&prefix) {
        Some(service) => {
            let metrics = guide::metrics();
            let attributes = metrics.get(name).map(|row| row.attributes.iter());
            let expected = attributes.map(|it| it.map(String::as_str).chain(["OTelLib"]).collect());
            deployment.service(service).is_some() && expected == Some(dimensions)
        }
        None => {
            let of_aws = OF_AWS.map(|(namespace, name, its)| (namespace, name, its.to_vec()));
            of_aws.contains(&(namespace, name, dimensions.into_iter().collect()))
        }
    }
}

#[test]
fn every_alarm_watches_a_metric_that_exists_and_reaches_a_person() {
    for (files, deployment) in both() {
        let alarms = alarms(&deployment);
        assert!(alarms.len() >= 25, "{files} has only {} alarms", alarms.len());
        for Alarm { name, metrics, actions, .. } in &alarms {
            for Metric { namespace, name: metric, dimensions, .. } in metrics {
                let dimensions: Vec<&str> = dimensions.keys().map(String::as_str).collect();
                assert!(
                    exists(&deployment, namespace, metric, &dimensions),
                    "{files}: {name} watches {metric} of {dimensions:?} in {namespace}"
                );
            }
            let is_alarms = |arn: &String| arn.to_lowercase().ends_with("-alarms");
            let topic = |arns: &Vec<String>| arns.len() == 1 && arns.iter().all(is_alarms);
            assert!(actions.iter().all(topic), "{files}: {name} tells {actions:?}");
        }
    }
}

#[test]
fn every_alarm_has_its_entry_in_the_runbook_and_every_entry_its_alarm() {
    let entries = guide::entries();
    for (files, deployment) in both() {
        let mut named = BTreeSet::new();
        for alarm in alarms(&deployment) {
            let Some(text) = entries.get(alarm.entry()) else {
                panic!("{files}: {} names {:?}, which is not there", alarm.name, alarm.entry())
            };
            let condition = alarm.condition();
            assert!(text.contains(&condition), "{files}: {} is not {condition}", alarm.entry());
            named.insert(alarm.entry().to_owned());
        }
        assert!(entries.keys().eq(named.iter()), "{:?} and {named:?}", entries.keys());
    }
    for (entry, text) in &entries {
        for question in QUESTIONS {
            assert!(text.contains(question), "{entry} does not say: {question}");
        }
    }
}

/// A metric that a widget shows: namespace, name, dimensions.
type Shown = (String, String, Vec<String>);

/// The metrics of an entry of a widget's list: one by its name, or those of searches.
fn shown_metrics(entry: &Json) -> Vec<Shown> {
    let words: Vec<&str> =
        entry.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    if let [namespace, name, dimensions @ ..] = &words[..] {
        let names = dimensions.iter().step_by(2).map(|it| (*it).to_owned()).collect();
        return vec![((*namespace).to_owned(), (*name).to_owned(), names)];
    }
    let expression = entry[0]["expression"].as_str().unwrap();
    let searches = expression.split("SEARCH('{").skip(1);
    let metric = |search: &str| {
        let (schema, rest) = search.split_once('}').unwrap();
        let mut schema = schema.split(',').map(|it| it.trim_matches('"').to_owned());
        let name = rest.trim().strip_prefix("MetricName=\"").unwrap().split('"').next().unwrap();
        (schema.next().unwrap(), name.to_owned(), schema.collect())
    };
    searches.map(metric).collect()
}

#[test]
fn the_dashboard_shows_metrics_that_exist_and_its_rows_are_explained() {
    let guide = guide::section("## The dashboard");
    for (files, deployment) in both() {
        let widgets = dashboard(&deployment);
        let mut shown = 0;
        for widget in widgets.iter().filter(|it| it["type"] == "metric") {
            for entry in widget["properties"]["metrics"].as_array().unwrap() {
                for (namespace, name, dimensions) in shown_metrics(entry) {
                    let dimensions: Vec<&str> = dimensions.iter().map(String::as_str).collect();
                    assert!(
                        exists(&deployment, &namespace, &name, &dimensions),
                        "{files}: the dashboard shows {name} of {dimensions:?} in {namespace}"
                    );
                    shown += 1;
                }
            }
        }
        assert!(shown >= 40, "{files} shows only {shown} metrics");
        let texts = widgets.iter().filter(|it| it["type"] == "text");
        let rows = texts.map(|it| it["properties"]["markdown"].as_str().unwrap()[3..].to_owned());
        let explained = guide.lines().filter(|line| line.starts_with("| **"));
        let explained = explained.map(|line| line.split("**").nth(1).unwrap().to_owned());
        assert_eq!(rows.collect::<Vec<_>>(), explained.collect::<Vec<_>>(), "{files}");
    }
}

/// The widgets of the dashboard.
fn dashboard(deployment: &Deployment) -> Vec<Json> {
    let known = resolve::imagined(&deployment.stacks).unwrap();
    for stack in &deployment.stacks {
        for declared in stack.resources.values() {
            if let Resource::Other(kind, properties) = &declared.value
                && kind == "AWS::CloudWatch::Dashboard"
            {
                let properties = shown(&known, &deployment.stacks, stack, properties);
                let body = properties["DashboardBody"].as_str().unwrap();
                let mut body: Json = serde_json::from_str(body).unwrap();
                return body["widgets"].as_array_mut().unwrap().drain(..).collect();
            }
        }
    }
    panic!("there is no dashboard")
}

/// The collector sends metrics where the alarms look for them.
#[test]
fn the_collector_has_the_namespace_of_its_service() {
    let services = ["publisher", "fulfilment", "promotion", "history"];
    let expected: BTreeMap<String, &str> = services
        .map(|it| {
            let file = format!("copilot/{it}/overrides/cfn.patches.yml");
            (file, "namespace: ${AppName}-${EnvName}-${WorkloadName}\n")
        })
        .into_iter()
        .chain([
            (
                "infrastructure/publisher.yml".to_owned(),
                "namespace: ${Application}-${Environment}-publisher\n",
            ),
            (
                "infrastructure/worker.yml".to_owned(),
                "namespace: ${Application}-${Environment}-${Service}\n",
            ),
        ])
        .collect();
    for (file, namespace) in expected {
        let text = fs::read_to_string(directory(&file)).unwrap();
        assert!(text.contains(namespace), "{file} lacks {namespace}");
        assert!(text.contains("dimension_rollup_option: NoDimensionRollup\n"), "{file}");
    }
}
