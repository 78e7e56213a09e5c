//! `infrastructure/` describes the same system as `copilot/`: everything that the services depend
//! on is equal, and each difference that is meant is listed here with its reason.
#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use deployment::{copilot, infrastructure};

mod difference;
mod names;
mod portrait;

use difference::differences;
use portrait::portrait;

const ENVIRONMENT: &str = "test";

/// The differences that are meant: a part of the sentence, and the reason.
const MEANT: [(&str, &str); 24] = [
    (", may, Deny iam:*: only copilot/", "nothing allows it, so nothing need deny it"),
    (", may, logs:CreateLogGroup: only copilot/", "its group for metrics is there already"),
    (", may, logs:CreateLogStream: copilot/ has [\"*\"]", "only in its group for metrics"),
    (", may, logs:DescribeLogGroups: only copilot/", "its group for metrics is known"),
    (", may, logs:DescribeLogStreams: copilot/ has [\"*\"]", "only in its group for metrics"),
    (", may, logs:PutLogEvents: copilot/ has [\"*\"]", "only in its group for metrics"),
    (", may, sqs:DeleteMessage: copilot/ has [\"<dead letters of", "no task reads dead letters"),
    (", may, sqs:ReceiveMessage: copilot/ has [\"<dead letters of", "the same"),
    (", variables, COPILOT_APPLICATION_NAME: only copilot/", "no service reads it"),
    (", variables, COPILOT_ENVIRONMENT_NAME: only copilot/", "no service reads it"),
    (", variables, COPILOT_SERVICE_DISCOVERY_ENDPOINT: only copilot/", "no service reads it"),
    (", variables, COPILOT_SERVICE_NAME: only copilot/", "no service reads it"),
    (", variables, COPILOT_LB_DNS: only copilot/", "no service reads it"),
    (", variables, STATUS_DEAD_LETTERS_ARN: only copilot/", "an output for other stacks"),
    (", variables, STATUS_QUEUE_ARN: only copilot/", "an output for other stacks"),
    ("fulfilment, variables, BANNER: only copilot/ has it, \"off\"", "it is the default"),
    ("fulfilment, variables, PACE_MS: only copilot/ has it, \"0\"", "it is the default"),
    ("history, variables, HEALTH_PORT: copilot/ has \"8084\"", "each task has its own network"),
    ("promotion, variables, HEALTH_PORT: copilot/ has \"8082\"", "each task has its own network"),
    ("publisher, variables, QUEUE_NAMES: ", "queues are named after other stacks"),
    (", targets, waiting, measure, expression: ", "a Lambda function of Copilot's divides"),
    (", targets, waiting, measure, series, ", "and reports a metric of its own"),
    ("senders to the queue of fulfilment: ", "any topic of the publisher that is subscribed"),
    ("senders to the undelivered of promotion: ", "only the topic that it is subscribed to"),
];

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// What differs between the two, with `infrastructure` in place of the real one.
fn found(infrastructure: &Path) -> BTreeSet<String> {
    let copilot = copilot::read(&directory("copilot"), ENVIRONMENT).unwrap();
    let infrastructure = infrastructure::read(infrastructure, ENVIRONMENT).unwrap();
    differences(&portrait(&copilot), &portrait(&infrastructure))
}

/// The differences that nobody meant.
fn not_meant(infrastructure: &Path) -> Vec<String> {
    let is_meant = |it: &String| MEANT.iter().any(|(part, _)| it.contains(part));
    found(infrastructure).into_iter().filter(|it| !is_meant(it)).collect()
}

#[test]
fn both_descriptions_are_equal_but_for_what_is_meant() {
    let infrastructure = directory("infrastructure");
    let not_meant = not_meant(&infrastructure);
    assert!(not_meant.is_empty(), "{not_meant:#?}");
    let found = found(&infrastructure);
    for (part, _) in MEANT {
        assert!(found.iter().any(|it| it.contains(part)), "this difference is gone: {part}");
    }
}

/// A copy of the real templates. Dropping it deletes it.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Self {
        let copy =
            std::env::temp_dir().join(format!("infrastructure-{}-{name}", std::process::id()));
        for part in ["", "environments"] {
            fs::create_dir_all(copy.join(part)).unwrap();
            for entry in fs::read_dir(directory("infrastructure").join(part)).unwrap() {
                let entry = entry.unwrap();
                if entry.path().is_file() {
                    fs::copy(entry.path(), copy.join(part).join(entry.file_name())).unwrap();
                }
            }
        }
        Self(copy)
    }

    /// Replaces the first `old` after `after` in `file`.
    fn edit(&self, file: &str, after: &str, old: &str, new: &str) {
        let path = self.0.join(file);
        let text = fs::read_to_string(&path).unwrap();
        let start = text.find(after).unwrap_or_else(|| panic!("{file} has no {after:?}"));
        let (before, rest) = text.split_at(start);
        assert!(rest.contains(old), "{file} has no {old:?} after {after:?}");
        fs::write(path, format!("{before}{}", rest.replacen(old, new, 1))).unwrap();
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file, a text in it, what is replaced after that text, and the sentence about it.
const SOWN: [(&str, &str, &str, &str, &str); 20] = [
    (
        "scaling.yml",
        "  SleepAlarm:",
        "EvaluationPeriods: 15",
        "EvaluationPeriods: 5",
        "promotion, operation, scaling, steps, Sleep, alarm, periods: copilot/ has 15, \
         infrastructure/ has 5",
    ),
    (
        "scaling.yml",
        "  InFlight:",
        "+ 0 * waiting",
        "+ waiting",
        "history, operation, scaling, targets, in_flight, measure, expression: copilot/ has \
         \"(FILL(inflight, 0) + 0 * waiting) / tasks\", infrastructure/ has \
         \"(FILL(inflight, 0) + waiting) / tasks\"",
    ),
    (
        "promotion.yml",
        "FilterPolicy",
        "80]",
        "90]",
        "subscription of <queue of promotion> to <topic ordersTopic of publisher>, filter, amount: \
         copilot/ has [{\"numeric\":[\">=\",80]}], infrastructure/ has [{\"numeric\":[\">=\",90]}]",
    ),
    (
        "publisher.yml",
        "  Status:",
        "maxReceiveCount: 10",
        "maxReceiveCount: 3",
        "queue of publisher, receives before <dead letters of publisher>: copilot/ has 10, \
         infrastructure/ has 3",
    ),
    (
        "publisher.yml",
        "IndexName: latest",
        "KEYS_ONLY",
        "ALL",
        "table ORDERS_TABLE_NAME of publisher, indexes, latest, copied: copilot/ has \"KeysOnly \
         []\", infrastructure/ has \"All []\"",
    ),
    (
        "promotion.yml",
        "TimeToLiveSpecification",
        "expires_at",
        "expiry",
        "table COUPONS_TABLE_NAME of promotion, expires by: copilot/ has \"expires_at\", \
         infrastructure/ has \"expiry\"",
    ),
    (
        "publisher.yml",
        "PointInTimeRecoverySpecification",
        "true",
        "false",
        "table ORDERS_TABLE_NAME of publisher, can be restored: copilot/ has true, \
         infrastructure/ has false",
    ),
    (
        "publisher.yml",
        "Name: PROXIES",
        "'1'",
        "'0'",
        "publisher, variables, PROXIES: copilot/ has \"1\", infrastructure/ has \"0\"",
    ),
    (
        "publisher.yml",
        "PolicyName: Orders",
        "                  - dynamodb:UpdateItem\n",
        "",
        "publisher, may, dynamodb:UpdateItem: copilot/ has [\"<table ORDERS_TABLE_NAME of \
         publisher>\",\"<table WEBHOOKS_TABLE_NAME of publisher>\"], infrastructure/ has [\"<table \
         WEBHOOKS_TABLE_NAME of publisher>\"]",
    ),
    (
        "worker.yml",
        "PolicyName: Report",
        "Action: sns:Publish",
        "Action: sns:Subscribe",
        "fulfilment, may, sns:Publish: only copilot/ has it, [\"<topic orderStatus of \
         fulfilment>\"]",
    ),
    (
        "publisher.yml",
        "  Targets:",
        "HealthCheckPath: /ping",
        "HealthCheckPath: /",
        "publisher, operation, balancing, health_path: copilot/ has \"/ping\", infrastructure/ has \
         \"/\"",
    ),
    (
        "worker.yml",
        "  Task:",
        "StopTimeout: 60",
        "StopTimeout: 30",
        "fulfilment, operation, stop_timeout_seconds: copilot/ has 60, infrastructure/ has 30",
    ),
    (
        "environments/test",
        "",
        "MaxTasks=2",
        "MaxTasks=2\npromotion-scaling.MaxTasks=3",
        "promotion, operation, scaling, max_tasks: copilot/ has 2, infrastructure/ has 3",
    ),
    (
        "queue.yml",
        "  OrderStatus:",
        "KmsMasterKeyId: alias/aws/sns",
        "DisplayName: reports",
        "topic orderStatus of fulfilment, encrypted: copilot/ has true, infrastructure/ has false",
    ),
    (
        "queue.yml",
        "  DeadLettersAlarm:",
        "Threshold: 0",
        "Threshold: 5",
        "alarm on ApproximateNumberOfMessagesVisible of <dead letters of promotion>, Threshold: \
         copilot/ has 0, infrastructure/ has 5",
    ),
    (
        "publisher-alarms.yml",
        "  OrdersOutboxAlarm:",
        "MetricName: outbox.oldest.age",
        "MetricName: outbox.oldest",
        "alarm on outbox.oldest of pubsub, <table ORDERS_TABLE_NAME of publisher>: only \
         infrastructure/ has it",
    ),
    (
        "publisher-alarms.yml",
        "  ErrorsAlarm:",
        "publisher-Targets",
        "publisher-Balancer",
        "alarm on HTTPCode_Target_5XX_Count of LoadBalancerFullName, LoadBalancerFullName and \
         HTTPCode_ELB_5XX_Count of LoadBalancerFullName and RequestCount of TargetGroupFullName, \
         LoadBalancerFullName: only infrastructure/ has it",
    ),
    (
        "worker.yml",
        "  BreakerAlarm:",
        "open-breaker",
        "breaker",
        "alarm on worker.breaker.open of pubsub, aws_sqs, <queue of promotion>, AlarmDescription: \
         copilot/ has \"A dependency of promotion has been unavailable for 5 minutes, so it \
         receives nothing. Runbook: docs/operate.md#open-breaker\"",
    ),
    (
        "stacks",
        "promotion-queue",
        " From=publisher-OrdersTopic*",
        "",
        "senders to the queue of promotion: copilot/ has [\"topic ordersTopic of publisher\"], \
         infrastructure/ has [\"topic ordersTopic of publisher\",\"topic ping of \
         publisher\",\"topic webhooksTopic of publisher\"]",
    ),
    (
        "fulfilment.yml",
        "  Pings:",
        "fulfilment-UndeliveredArn",
        "fulfilment-QueueArn",
        "subscription of <queue of fulfilment> to <topic ping of publisher>, refused: copilot/ has \
         \"<undelivered of fulfilment>\", infrastructure/ has \"<queue of fulfilment>\"",
    ),
];

#[test]
fn a_difference_that_nobody_meant_is_a_sentence() {
    for (number, (file, after, old, new, sentence)) in SOWN.into_iter().enumerate() {
        let copy = Copy::new(&number.to_string());
        copy.edit(file, after, old, new);
        let found = not_meant(&copy.0);
        assert!(
            found.iter().any(|it| it.starts_with(sentence)),
            "{sentence}\nis not among {found:#?}"
        );
    }
}
