//! Mistakes between the keys of a manifest, and values that AWS would reject.

use std::fs;

use super::{FULFILMENT, PROMOTION, PUBLISHER, found, found_in};
use crate::copilot::tests::real;

#[test]
fn sizes_platforms_and_images_that_fargate_does_not_run_are_found() {
    let command = "    command: [\"CMD\", \"/usr/local/bin/service\", \"healthcheck\"]\n";
    let build = "  build:\n    dockerfile: Dockerfile\n    context: .\n    args:\n      \
                 FOLDER: subscribers/fulfilment\n      REVISION: ${REVISION} # of the shell that \
                 deploys: the commit\n";
    let cases = [
        ("memory: 512", "memory: 768", "memory: 768", "memory: with a cpu of 256"),
        ("cpu: 256", "cpu: 300", "cpu: 300", "cpu: Fargate has [256, 512,"),
        ("cpu: 256", "cpu: 1024", "memory: 512", "memory: with a cpu of 1024"),
        ("cpu: 256", "cpu: 256\ncpu: 512", "cpu: 512", "duplicate"),
        ("platform: linux", "# linux", "type: Worker", "platform: without it"),
        ("exec: false", "exec: true", "exec: true", "storage.readonly_fs excludes it"),
        (command, "", "    interval: 15s", "image.healthcheck.command: it has to begin"),
        ("[\"CMD\", ", "[", "    command:", "image.healthcheck.command: it has to begin"),
        (build, "", "  healthcheck:", "image: it has neither build nor location"),
        ("  build:", "  location: x\n  build:", "  location: x", "it excludes image.build"),
        ("  build:", "  port: 80\n  build:", "  port: 80", "image.port: Copilot ignores it"),
        (
            "  test:",
            "  test:\n    observability: {tracing: aws-xray}",
            "    observability",
            "observability.tracing: \"aws-xray\" traces nothing",
        ),
    ];
    found_in(FULFILMENT, &cases);
}

#[test]
fn settings_that_the_load_balancer_rejects_are_found() {
    let cases = [
        ("  port: 5000\n", "", "  build:", "image.port: a Load Balanced Web Service needs it"),
        ("  path: \"/\"\n", "", "  healthcheck:\n    path: /ping", "http.path"),
        (
            "    timeout: 5s\n    grace",
            "    timeout: 15s\n    grace",
            "    timeout: 15s",
            "http.healthcheck.timeout: 15 s should be less than the interval of 15 s",
        ),
    ];
    found_in(PUBLISHER, &cases);
}

#[test]
fn counts_that_copilot_rejects_are_found() {
    let manifest = fs::read_to_string(real().join(FULFILMENT)).unwrap();
    let start = manifest.find("  cpu_percentage").unwrap();
    let metrics = &manifest[start..manifest.find("exec:").unwrap()];
    let cases = [
        (metrics, "", "range: 0-2", "count.range: it needs a metric"),
        ("    acceptable_latency: 1m\n", "", "    msg_processing", "count.queue_delay: it needs"),
        ("latency: 1m", "latency: 1ms", "    acceptable", "not be above acceptable_latency"),
        ("time: 1656us", "time: 0s", "    acceptable", "msg_processing_time should be above 0"),
        (
            "  queue_delay:",
            "  requests: 5\n  queue_delay:",
            "  requests: 5",
            "count.requests: a Worker Service has no such metric",
        ),
        ("range: 0-2", "range: {min: 3, max: 2}", "range: {", "count.range: min is above max"),
    ];
    found_in(FULFILMENT, &cases);

    let x86 = (FULFILMENT, "platform: linux/arm64", "platform: linux/amd64");
    let spot = (FULFILMENT, "range: 0-2", "range: 0-2\n      spot: 1");
    found(&[x86, spot], FULFILMENT, "range: 0-2", "count.range: count.spot excludes it");

    let delay = "  queue_delay: {acceptable_latency: 1m, msg_processing_time: 1s}";
    let what = "count.queue_delay: a Load Balanced Web Service has no such metric";
    found_in(PUBLISHER, &[("  requests: 11646", delay, "  queue_delay", what)]);

    let spot = (FULFILMENT, "range: 0-2", "range: {min: 1, max: 2, spot_from: 1}");
    let what = "count.range.spot_from: Fargate Spot has no ARM processors";
    found(&[spot], FULFILMENT, "range: {", what);

    let nowhere = [
        (FULFILMENT, "  range: 0-4 # with 1-4, one task stays while there is nothing to do\n", ""),
        (FULFILMENT, "      range: 0-2\n", ""),
    ];
    let edits = [nowhere[0], nowhere[1], (FULFILMENT, "    count:\n", "")];
    found(&edits, FULFILMENT, "  cpu_percentage", "count.cpu_percentage: without a range");
}

#[test]
fn texts_that_copilot_changes_are_found() {
    let cases = [
        ("LOG: info", "LOG: ${LEVEL}", "  RUST_LOG", "variables.RUST_LOG: Copilot would take"),
        ("LOG: info", "LOG: '[\"a\"]'", "  RUST_LOG", "variables.RUST_LOG: Copilot would turn"),
        ("\"healthcheck\"]", "\"${ASK}\"]", "    command", "image.healthcheck.command[2]: "),
    ];
    found_in(FULFILMENT, &cases);
}

#[test]
fn secrets_that_are_no_names_or_names_of_something_else_are_found() {
    let refused = |file: &str, secret: &str, more: &str, what: &str| {
        let edited = format!("secrets:\n  {secret}\nvariables:{more}");
        found(&[(file, "variables:", &edited)], file, &format!("  {secret}"), what);
    };
    for value in ["whsec_c2VjcmV0+/=", "'{\"a\": 1}'", "copilot/KEY", "/${USER}", "''", "7"] {
        refused(FULFILMENT, &format!("KEY: {value}"), "", "secrets.KEY: ");
    }
    refused(FULFILMENT, "KEY: {secretsmanager: 'a b'}", "", "secrets.KEY.secretsmanager: ");
    refused(FULFILMENT, "KEY: {from_cfn: stack-KEY}", "", "from_cfn");
    refused(FULFILMENT, "KEY: KEY", "\n  KEY: a", "also among the manifest's variables");
    refused(FULFILMENT, "COPILOT_KEY: KEY", "", "also among Copilot's own variables");
    refused(PROMOTION, "COUPONS_TABLE_NAME: KEY", "", "also among the outputs of the addons");
}

#[test]
fn topics_given_twice_and_queues_without_topics_are_found() {
    let topics = "  topics:\n    - name: ordersTopic\n      service: publisher\n    \
                  - name: ping\n      service: publisher\n";
    let cases = [
        (topics, "", "  queue:", "subscribe: without topics Copilot ignores all of it"),
        (
            "- name: ping",
            "- name: ordersTopic",
            "- name: ordersTopic\n      service: publisher\n  queue",
            "subscribe.topics.name: \"ordersTopic\" of publisher is listed twice",
        ),
    ];
    found_in(FULFILMENT, &cases);
    let five = ["a", "b", "c", "d", "e"].map(|name| format!("{name}: [1]\n        "));
    let six = format!("{}amount:", five.concat());
    let what = "subscribe.topics.filter_policy: SNS accepts 5 attributes, not 6";
    found_in(PROMOTION, &[("amount:", &six, "    - name: ordersTopic", what)]);
    let twice =
        ("- name: ping", "- name: ping\n    - name: pi-ng", "- name: pi-ng", "are the same for");
    found_in(PUBLISHER, &[twice]);
}

#[test]
fn overrides_that_remove_something_or_apply_to_nothing_are_found() {
    let cases = [
        ("  test:", "  staging:", "  staging:", "environments.staging: there is no such"),
        ("  test:", "  test:\n    name: x", "    name: x", "name, type and environments cannot be"),
        (
            "  test:",
            "  test:\n    environments: {a: {}}",
            "    environments:",
            "name, type and environments cannot be",
        ),
        (
            "  test:",
            "  test:\n    subscribe:\n      topics: [{name: ping, service: publisher}]",
            "      topics: [",
            "environments.test: subscribe.topics replaces the whole list, and leaves ordersTopic",
        ),
    ];
    found_in(FULFILMENT, &cases);
    let topics = "  test:\n    subscribe:\n      topics: [{name: ordersTopic, service: publisher}]";
    let what = "leaves the filter_policy of ordersTopic out";
    found_in(PROMOTION, &[("  test:", topics, "      topics: [", what)]);
    let topics = "  test:\n    publish:\n      topics: [{name: ping}]";
    let what = "publish.topics replaces the whole list, and leaves ordersTopic out";
    found_in(PUBLISHER, &[("  test:", topics, "  test:", what)]);
}

#[test]
fn settings_of_fifo_queues_that_copilot_or_sqs_refuse_are_found() {
    let queue = "retention: 336h";
    let fifo = |settings: &str| format!("retention: 336h\n    fifo: {settings}");
    let line = "    fifo:";
    let what = "high_throughput excludes deduplication_scope";
    let refused = fifo("{high_throughput: true, deduplication_scope: queue}");
    found_in(FULFILMENT, &[(queue, &refused, line, what)]);
    let refused = fifo("{throughput_limit: perMessageGroupId}");
    found_in(FULFILMENT, &[(queue, &refused, line, "needs `deduplication_scope: messageGroup`")]);
    let refused = fifo("{high_througput: true}");
    found_in(FULFILMENT, &[(queue, &refused, line, "high_througput")]);
    // A FIFO queue receives from FIFO topics only, and a standard queue from none.
    let missing = "publisher has no topic \"ordersTopic.fifo\"";
    found_in(FULFILMENT, &[(queue, &fifo("true"), "    - name: ordersTopic", missing)]);
    let topic = (PUBLISHER, "- name: ordersTopic", "- name: ordersTopic\n      fifo: true");
    let missing = "publisher has no topic \"ordersTopic\"";
    found(&[topic], FULFILMENT, "    - name: ordersTopic", missing);
}
