//! Mistakes put into copies of the real files, each found at its place.

use std::fs;

use super::Copy;
use crate::copilot::read;

mod manifests;
mod pipelines;
mod policies;
mod templates;
mod types;

/// Replaces the first `old` in `file` by `new`, and expects one mistake that contains `what`, as
/// many lines below the replacement as `below` says.
fn check(file: &str, old: &str, new: &str, below: usize, what: &str) {
    let copy = Copy::new();
    let path = copy.0.join(file);
    let text = fs::read_to_string(&path).unwrap();
    let start = text.find(old).unwrap_or_else(|| panic!("{file} has no {old:?}"));
    fs::write(&path, text.replacen(old, new, 1)).unwrap();
    let mistake = read(&copy.0, "test").expect_err(new);
    let said = mistake.to_string();
    let line = text[..start].matches('\n').count() + 1 + below;
    let place = format!("{}:{line}:", path.display());
    assert!(said.starts_with(&place), "{said}\nshould be at {place}");
    assert!(said.contains(what), "{said}\nshould say {what:?}");
    assert!(!said.contains('\n'), "{said}\nshould be one line");
}

#[test]
fn mistakes_in_a_manifest_are_found_at_their_place() {
    let file = "fulfilment/manifest.yml";
    let cases = [
        ("name: fulfilment", "name: fulfillment", "fulfillment"),
        ("type: Worker Service", "type: Worker", "Worker"),
        ("type: Worker Service", "kind: Worker Service", "kind"),
        ("tries: 10", "retries: 3", "retries"),
        ("tries: 10", "tries: 0", "tries"),
        ("tries: 10", "tries: three", "tries"),
        ("timeout: 60s", "timeout: 60", "timeout"),
        ("timeout: 60s", "timeout: 13h", "timeout"),
        ("timeout: 60s", "timout: 60s", "timout"),
        ("retention: 336h", "retention: 5d", "retention"),
        ("retention: 336h", "retention: 500ms", "retention"),
        ("name: ordersTopic", "name: orderTopic", "orderTopic"),
        ("name: ordersTopic", "name: orders.fifo", "orders.fifo"),
        ("service: publisher", "service: published", "published"),
        ("interval: 15s", "interval: 1s", "interval"),
        ("range: 0-4", "range: 4-1", "range"),
        ("range: 0-4", "rang: 0-4", "rang"),
        ("msg_processing_time: 1656us", "msg_time: 1656us", "msg_time"),
        ("platform: linux/arm64", "platform: linux/arm65", "platform"),
        ("rolling: default", "rolling: defualt", "defualt"),
        ("  retention: 14", "  retention: 15", "retention"),
        ("    deployment:\n      r", "    deploymnet:\n      r", "deploymnet"),
        ("exec: false", "exec: \"maybe\"", "exec"),
    ];
    for (old, new, what) in cases {
        check(file, old, new, 0, what);
    }
}

#[test]
fn mistakes_in_a_filter_policy_are_found_at_their_place() {
    let file = "promotion/manifest.yml";
    check(file, "- 80", "- \"80\"", 0, "80");
    check(file, "\">=\"", "\"=>\"", 0, "=>");
    check(file, "numeric", "numerical", 0, "numerical");
    check(file, "- 80", "- 80e9", 0, "80");
}

#[test]
fn mistakes_in_an_addon_are_found_at_their_place() {
    let file = "publisher/addons/webhooksTable.yml";
    let cases = [
        ("AWS::DynamoDB::Table", "AWS::DynamoDB::Tabel", "Tabel"),
        ("BillingMode", "BilingMode", "BilingMode"),
        ("KeyType: RANGE", "KeyType: RANG", "RANG"),
        ("Value: !Ref webhooksTable\n  web", "Value: !Ref webhookTable\n  web", "webhookTable"),
        ("Value: !Ref webhooksTable\n  web", "Value: !GetAtt webhooksTable.Name\n  web", "Name"),
        ("Value: !Ref webhooksTable", "Value: !Reff webhooksTable", "Reff"),
        ("${App}-${Env}", "${Ap}-${Env}", "Ap"),
        ("Outputs:", "Output:", "Output"),
    ];
    for (old, new, what) in cases {
        check(file, old, new, 0, what);
    }
    // The key that is no longer defined is 10 lines below.
    let (old, new) = ("AttributeName: outbox_due", "AttributeName: outbox_dew");
    check(file, old, new, 10, "outbox_due");
}

#[test]
fn mistakes_in_the_other_files_are_found_at_their_place() {
    let patches = "fulfilment/overrides/cfn.patches.yml";
    check(patches, "op: add", "op: append", 0, "append");
    check(patches, "path: /Resources", "path: Resources", 0, "path");
    check(patches, "  value: sqs", "  valu: sqs", 0, "valu");
    check(".workspace", "application", "app", 0, "app");
    let environment = "environments/test/manifest.yml";
    check(environment, "name: test", "name: tets", 0, "tets");
    check(environment, "type: Environment", "type: Enviroment", 0, "Enviroment");
}

/// A change to a file: the old text and the new one. Without an old text it creates a file.
type Edit<'a> = (&'a str, &'a str, &'a str);

/// Makes `edits`, and expects one mistake in `file` that contains `what`, on the line where
/// `marker` begins.
fn found(edits: &[Edit<'_>], file: &str, marker: &str, what: &str) {
    let copy = Copy::new();
    for (file, old, new) in edits {
        let path = copy.0.join(file);
        let text = if old.is_empty() { String::new() } else { fs::read_to_string(&path).unwrap() };
        assert!(text.contains(old), "{file} has no {old:?}");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text.replacen(old, new, 1)).unwrap();
    }
    let said = read(&copy.0, "test").expect_err(what).to_string();
    let path = copy.0.join(file);
    let text = fs::read_to_string(&path).unwrap();
    let start = text.find(marker).unwrap_or_else(|| panic!("{file} has no {marker:?}"));
    let line = text[..start].matches('\n').count() + 1;
    let place = format!("{}:{line}:", path.display());
    assert!(said.starts_with(&place), "{said}\nshould be at {place}");
    assert!(said.contains(what), "{said}\nshould say {what:?}");
    assert!(!said.contains('\n'), "{said}\nshould be one line");
}

/// As [`found`], for changes to one file.
fn found_in(file: &str, cases: &[(&str, &str, &str, &str)]) {
    for (old, new, marker, what) in cases {
        found(&[(file, old, new)], file, marker, what);
    }
}

const FULFILMENT: &str = "fulfilment/manifest.yml";
const PROMOTION: &str = "promotion/manifest.yml";
const PUBLISHER: &str = "publisher/manifest.yml";

#[test]
fn names_that_copilot_rejects_are_found() {
    found_in(".workspace", &[("pubsub", "Pubsub", "application", "is not a name")]);
    let environment = "environments/test/manifest.yml";
    let cases = [
        ("insights:", "insight:", "  container_insight", "container_insight"),
        ("name: test", "name: ${USER}", "name", "name: Copilot would take ${USER} from the shell"),
    ];
    found_in(environment, &cases);
}

#[test]
fn files_that_copilot_does_not_read_are_found() {
    let files = ["manifest.yaml", "addons/notes.txt", "overrides/patches.yml"];
    for file in files.map(|name| format!("fulfilment/{name}")) {
        found(&[(&file, "", "- op\n")], &file, "- op", "Copilot does not read it");
    }
}
