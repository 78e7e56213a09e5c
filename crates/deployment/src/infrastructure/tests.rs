//! The real files, and copies of them with mistakes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::read;
use crate::description::Kind;

fn real() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infrastructure")
}

/// A copy of the real files. Dropping it deletes it.
struct Copy(PathBuf);

impl Copy {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("templates-{}-{number}", std::process::id());
        let copy = std::env::temp_dir().join(name);
        for part in ["", "environments"] {
            fs::create_dir_all(copy.join(part)).unwrap();
            for entry in fs::read_dir(real().join(part)).unwrap() {
                let entry = entry.unwrap();
                if entry.path().is_file() {
                    fs::copy(entry.path(), copy.join(part).join(entry.file_name())).unwrap();
                }
            }
        }
        Self(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Replaces the first `old` in `file` by `new`, and expects one mistake in `place` that contains
/// `what`.
fn check(file: &str, old: &str, new: &str, place: &str, what: &str) {
    let copy = Copy::new();
    let path = copy.0.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{file} has no {old:?}");
    fs::write(&path, text.replacen(old, new, 1)).unwrap();
    let said = read(&copy.0, "test").expect_err(new).to_string();
    let place = format!("{}:", copy.0.join(place).display());
    assert!(said.starts_with(&place), "{said}\nshould be in {place}");
    assert!(said.contains(what), "{said}\nshould say {what:?}");
    assert!(!said.contains('\n'), "{said}\nshould be one line");
}

#[test]
fn the_real_files_have_no_mistake_and_the_publisher_comes_first() {
    let deployment = read(&real(), "test").unwrap_or_else(|mistake| panic!("{mistake}"));
    let kinds: Vec<_> = deployment.services.iter().map(|it| it.kind).collect();
    assert_eq!(kinds.first(), Some(&Kind::Web));
    assert!(kinds.len() > 2, "{kinds:?}");
}

#[test]
fn mistakes_in_the_lists_are_found() {
    let stacks = [
        ("DoneWhen=", "DoneWith=", "stacks", "DoneWith: the template has no such parameter"),
        ("By=requests", "By=request", "stacks", "\"request\" is not one of requests, queue"),
        ("cluster.yml", "clutser.yml", "stacks", "there is no template clutser.yml"),
        (" DoneWhen=fulfilment", " DoneWhen", "stacks", "\"DoneWhen\" should be a parameter and"),
        ("fulfilment-queue ", "promotion-queue ", "stacks", "promotion-queue is listed twice"),
        ("cluster  ", "cluster\n#", "stacks", "a line has the name of a stack and its template"),
        ("network             network.yml", "", "publisher.yml", "exports \"shop-test-Vpc\""),
        (" Service=fulfilment\n", "\n", "queue.yml", "Parameters.Service: it"),
    ];
    for (old, new, place, what) in stacks {
        check("stacks", old, new, place, what);
    }
    let environment = [
        ("MaxTasks=2", "MaxTasks=0", "\"0\" is not a number from 1 to 100"),
        ("MaxTasks=2", "MaxTaks=2", "MaxTaks: no stack has such a parameter"),
        ("MaxTasks=2", "cluster.MaxTasks=2", "MaxTasks: this stack does not have"),
        ("TaskNetwork=public", "TaskNetwork=private", "is not one of public, nat, endpoints"),
        ("Application=shop", "", "Application: it is missing"),
    ];
    for (old, new, what) in environment {
        check("environments/test", old, new, "environments/test", what);
    }
    let mistake = read(&real(), "prod").expect_err("there is none").to_string();
    assert!(mistake.contains("there is no environment \"prod\""), "{mistake}");
}

#[test]
fn references_that_lead_nowhere_are_found() {
    let cases = [
        (
            "publisher.yml",
            "!Ref Targets",
            "!Ref Target",
            "there is no parameter or resource Target",
        ),
        ("promotion.yml", "-Alarms'", "-Alarm'", "no stack before shop-test-promotion exports"),
        ("worker.yml", "[IsRolling, 100", "[IsRoling, 100", "!If: there is no condition IsRoling"),
        ("worker.yml", "!Equals [!Ref Collector", "!Equals [!Ref Collect", "no parameter Collect"),
        ("worker.yml", "HasCollector: !Equals", "HasCollector: !Equal", "no function !Equal"),
        ("network.yml", "Condition: IsPrivate", "Condition: Private", "there is no Private"),
        ("queue.yml", "${Service}-QueueArn'", "${Service}-QueueUrl'", "two stacks export"),
    ];
    for (file, old, new, what) in cases {
        check(file, old, new, file, what);
    }
}

#[test]
fn mistakes_in_the_scaling_are_found() {
    let cases = [
        ("(FILL(inflight, 0)", "(FIL(inflight, 0)", "InFlight: \"(FIL(inflight, 0)"),
        ("waiting / tasks", "waiting / task", "no metric has the id task"),
        ("[!Ref Wake]", "[]", "Resources.Wake: exactly one alarm should set it off"),
        ("StepAdjustments: [", "StepAdjustment: [", "unknown field `StepAdjustment`"),
        ("Stat: SampleCount", "Statistic: SampleCount", "unknown field `Statistic`"),
        ("GreaterThanOrEqualToThreshold", "AtLeast", "unknown variant `AtLeast`"),
        ("Utilization}", "Utilisation}", "AWS has no metric ECSServiceAverageCPUUtilisation"),
        ("Period: 60", "Period: 300", "only a Period of 60 is understood here"),
        ("${Service}-QueueName'", "fulfilment-QueueName'", "is another queue"),
        ("!Ref MaxTasks", "!Ref Service", "MaxCapacity should be a number"),
    ];
    for (old, new, what) in cases {
        check("scaling.yml", old, new, "scaling.yml", what);
    }
}

#[test]
fn what_aws_would_refuse_later_is_found() {
    let cases = [
        (
            "publisher.yml",
            "AttributeName: outbox_due, AttributeType",
            "AttributeName: due, AttributeType",
            "AttributeName",
        ),
        (
            "publisher.yml",
            "Resource: !GetAtt Webhooks.Arn",
            "Resource: !Ref Webhooks",
            "should be * or an ARN",
        ),
        ("publisher.yml", "dynamodb:GetItem", "dynamodb.GetItem", "should be a service, a colon"),
        ("queue.yml", "maxReceiveCount: 10", "maxReceiveCount: 0", "AWS accepts 1 to 1000"),
        ("queue.yml", "VisibilityTimeout", "VisibilityTimout", "VisibilityTimout"),
        ("promotion.yml", "80]", "'80']", "write it without quotes"),
        (
            "worker.yml",
            "AWS::ECS::Service",
            "AWS::ESC::Service",
            "AWS::ESC::Service is not supported",
        ),
        (
            "worker.yml",
            "TaskDefinition: !Ref Task",
            "TaskDefinition: !Ref Logs",
            "should be a !Ref",
        ),
    ];
    for (file, old, new, what) in cases {
        check(file, old, new, file, what);
    }
}
