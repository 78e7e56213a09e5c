//! Alarms and metrics in the templates, and what docs/operate.md says of them.
#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use deployment::{Deployment, copilot, infrastructure};

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
const OF_AWS: [(&str, &str, &[&str]); 9] = [
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", &["QueueName"]),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", &["QueueName"]),
    ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", &["LoadBalancer", "TargetGroup"]),
    ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", &["LoadBalancer"]),
    ("AWS/ApplicationELB", "RequestCount", &["LoadBalancer", "TargetGroup"]),
    ("AWS/ApplicationELB", "TargetResponseTime", &["LoadBalancer", "TargetGroup"]),
    ("AWS/ApplicationELB", "HealthyHostCount", &["LoadBalancer", "TargetGroup"]),
    ("AWS/DynamoDB", "ThrottledRequests", &["Operation", "TableName"]),
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", &["TableName"]),
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
