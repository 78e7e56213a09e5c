//! The real files as they are, and copies of them in which something is changed.

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

mod mistakes;

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
fn every_manifest_names_a_dockerfile_that_is_there() {
    for service in Workspace::read(&real(), "test").unwrap().services {
        let manifest = fs::read_to_string(&service.file).unwrap();
        let named = manifest.lines().find_map(|it| it.trim().strip_prefix("dockerfile: "));
        let dockerfile = real().join("..").join(named.unwrap());
        let content = fs::read_to_string(&dockerfile).unwrap_or_default();
        let binary = format!("ENTRYPOINT [\"/usr/local/bin/{}\"]", service.name);
        assert!(content.contains(&binary), "{} does not run {binary}", dockerfile.display());
    }
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
