//! Mistakes sown into the real files, each found where it stands.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::Workspace;
use crate::{
    endpoint,
    provision::{Target, provision_workspace},
};

/// A copy of the real files, removed when it is dropped.
struct Copy(PathBuf);

impl Copy {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("copilot-{}-{number}", std::process::id());
        let copy = std::env::temp_dir().join(name);
        copy_directory(&real(), &copy);
        Self(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn real() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../copilot")
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_directory(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Puts `new` in the place of the first `old` of `file`, and expects one mistake: on the line of
/// what was put there, `below` lines further down, and saying `what`.
fn check(file: &str, old: &str, new: &str, below: usize, what: &str) {
    let copy = Copy::new();
    let path = copy.0.join(file);
    let text = fs::read_to_string(&path).unwrap();
    let start = text.find(old).unwrap_or_else(|| panic!("{file} has no {old:?}"));
    fs::write(&path, text.replacen(old, new, 1)).unwrap();
    let mistake = Workspace::read(&copy.0, "test").expect_err(new);
    let said = mistake.to_string();
    let line = text[..start].matches('\n').count() + 1 + below;
    let place = format!("{}:{line}:", path.display());
    assert!(said.starts_with(&place), "{said}\nshould be at {place}");
    assert!(said.contains(what), "{said}\nshould say {what:?}");
    assert!(!said.contains('\n'), "{said}\nshould be one line");
}

#[test]
fn the_real_files_have_no_mistake() {
    let workspace = Workspace::read(&real(), "test").unwrap();
    let names: Vec<&str> = workspace.services.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["publisher", "fulfilment", "promotion"]);
    let fulfilment = &workspace.services[1];
    assert_eq!(fulfilment.manifest.variables["BANNER"].0, "on", "overridden");
    assert_eq!(fulfilment.manifest.variables["RUST_LOG"].0, "info", "kept");
}

#[test]
fn mistakes_in_a_manifest_are_found_where_they_stand() {
    let file = "fulfilment/manifest.yml";
    let cases = [
        ("name: fulfilment", "name: fulfillment", "fulfillment"),
        ("type: Worker Service", "type: Worker", "Worker"),
        ("type: Worker Service", "kind: Worker Service", "kind"),
        ("tries: 3", "retries: 3", "retries"),
        ("tries: 3", "tries: 0", "tries"),
        ("tries: 3", "tries: three", "tries"),
        ("timeout: 60s", "timeout: 60", "timeout"),
        ("timeout: 60s", "timeout: 13h", "timeout"),
        ("timeout: 60s", "timout: 60s", "timout"),
        ("retention: 96h", "retention: 5d", "retention"),
        ("retention: 96h", "retention: 500ms", "retention"),
        ("name: ordersTopic", "name: orderTopic", "orderTopic"),
        ("name: ordersTopic", "name: orders.fifo", "orders.fifo"),
        ("service: publisher", "service: published", "published"),
        ("interval: 15s", "interval: 1s", "interval"),
        ("range: 1-4", "range: 4-1", "range"),
        ("range: 1-4", "rang: 1-4", "rang"),
        ("msg_processing_time: 500ms", "msg_time: 500ms", "msg_time"),
        ("platform: linux/x86_64", "platform: linux/x86", "platform"),
        ("rolling: default", "rolling: defualt", "defualt"),
        ("  retention: 14", "  retention: 15", "retention"),
        ("    variables:\n      B", "    variabels:\n      B", "variabels"),
        ("exec: false", "exec: \"maybe\"", "exec"),
    ];
    for (old, new, what) in cases {
        check(file, old, new, 0, what);
    }
}

#[test]
fn mistakes_in_a_filter_policy_are_found_where_they_stand() {
    let file = "promotion/manifest.yml";
    check(file, "- 80", "- \"80\"", 0, "80");
    check(file, "\">=\"", "\"=>\"", 0, "=>");
    check(file, "numeric", "numerical", 0, "numerical");
    check(file, "- 80", "- 80e9", 0, "80");
}

#[test]
fn mistakes_in_an_addon_are_found_where_they_stand() {
    let file = "publisher/addons/ordersTable.yml";
    let cases = [
        ("AWS::DynamoDB::Table", "AWS::DynamoDB::Tabel", "Tabel"),
        ("BillingMode", "BilingMode", "BilingMode"),
        ("KeyType: RANGE", "KeyType: RANG", "RANG"),
        ("Value: !Ref ordersTable", "Value: !Ref orderTable", "orderTable"),
        ("Value: !Ref ordersTable", "Value: !GetAtt ordersTable.Name", "Name"),
        ("Value: !Ref ordersTable", "Value: !Reff ordersTable", "Reff"),
        ("${App}-${Env}", "${Ap}-${Env}", "Ap"),
        ("Outputs:", "Output:", "Output"),
    ];
    for (old, new, what) in cases {
        check(file, old, new, 0, what);
    }
    // The key that nothing defines any more is 14 lines below.
    let (old, new) = ("AttributeName: outbox_due", "AttributeName: outbox_dew");
    check(file, old, new, 14, "outbox_due");
}

#[test]
fn mistakes_in_the_other_files_are_found_where_they_stand() {
    let patches = "fulfilment/overrides/cfn.patches.yml";
    check(patches, "op: add", "op: append", 0, "append");
    check(patches, "path: /Resources", "path: Resources", 0, "path");
    check(patches, "  value: sqs", "  valu: sqs", 0, "valu");
    check(".workspace", "application", "app", 0, "app");
    let environment = "environments/test/manifest.yml";
    check(environment, "name: test", "name: tets", 0, "tets");
    check(environment, "type: Environment", "type: Enviroment", 0, "Enviroment");
}

#[tokio::test]
async fn an_addon_can_subscribe_its_service_to_a_queue_that_another_exports() {
    let copy = Copy::new();
    let arguments = copy.0.join("fulfilment/addons/addons.parameters.yml");
    fs::write(arguments, "Parameters:\n  StatusTopic: !Ref pingSNSTopic\n").unwrap();
    let mistake = Workspace::read(&copy.0, "test").unwrap_err();
    assert!(mistake.to_string().contains("pingSNSTopic"), "{mistake}");

    let workspace = Workspace::read(&real(), "test").unwrap();
    let endpoint = endpoint::start(&endpoint::Settings::loopback(0)).await.unwrap();
    let target = Target { endpoint_url: endpoint.url.clone(), region: endpoint::region() };
    let account = provision_workspace(&workspace, &target).await.unwrap();

    let arns = &account.service("fulfilment").unwrap().variables["COPILOT_SNS_TOPIC_ARNS"];
    let arns: serde_json::Value = serde_json::from_str(arns).unwrap();
    let config = target.config().await;
    let sns = aws_sdk_sns::Client::new(&config);
    let publish = sns.publish().topic_arn(arns["orderStatus"].as_str().unwrap());
    publish.message("fulfilled").send().await.unwrap();
    let url = &account.service("publisher").unwrap().variables["STATUS_QUEUE_URL"];
    let sqs = aws_sdk_sqs::Client::new(&config);
    let received = sqs.receive_message().queue_url(url).send().await.unwrap();
    assert!(received.messages()[0].body().unwrap().contains("fulfilled"));
}
