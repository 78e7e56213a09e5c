//! The real files, and copies of them with changes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::{read, workspace::Workspace};
use crate::{cloudformation::expression::Expression, description::Kind};

mod buckets;
mod mistakes;
mod verdicts;

/// A copy of the real files. Dropping it deletes it.
struct Copy(PathBuf);

impl Copy {
    fn new() -> Self {
        Self::of(&real())
    }

    fn of(files: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("copilot-{}-{number}", std::process::id());
        let copy = std::env::temp_dir().join(name);
        copy_directory(files, &copy);
        Self(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn real() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot")
}

/// The second sample.
fn receipts() -> PathBuf {
    real().join("../examples/receipts/copilot")
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
fn the_real_files_have_no_mistake_and_publishers_come_first() {
    for files in [real(), receipts()] {
        let deployment = read(&files, "test").unwrap();
        let are_workers = deployment.services.iter().map(|service| service.kind == Kind::Worker);
        assert!(are_workers.is_sorted(), "{:?}", deployment.services);
    }
}

#[test]
fn an_environment_overrides_what_it_names_and_keeps_the_rest() {
    let copy = Copy::new();
    let manifest = copy.0.join("fulfilment/manifest.yml");
    let text = fs::read_to_string(&manifest).unwrap();
    let overridden = "  test:\n    variables:\n      BANNER: \"on\"\n";
    fs::write(&manifest, text.replace("  test:\n", overridden)).unwrap();
    let deployment = read(&copy.0, "test").unwrap();
    let variables = &deployment.service("fulfilment").unwrap().variables;
    let literal = |text: &str| Expression::Literal(text.to_owned());
    assert_eq!(variables["BANNER"].value, literal("on"), "overridden");
    assert_eq!(variables["RUST_LOG"].value, literal("info"), "kept");
}

#[test]
fn an_addon_of_the_environments_is_a_stack_of_its_own_and_its_conditions_apply() {
    let copy = Copy::new();
    let by_email = |copy: &Copy| {
        let deployment = read(&copy.0, "test").unwrap();
        let mut stacks = deployment.stacks.into_iter();
        let addons = stacks.find(|it| it.name == "pubsub-test-AddonsStack").unwrap();
        addons.resources.contains_key("alarmsByEmail")
    };
    assert!(!by_email(&copy), "nobody gave an address");
    let file = copy.0.join("environments/addons/alarms.yml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("Default: ''", "Default: ada@example.com")).unwrap();
    assert!(by_email(&copy));
    let arguments = copy.0.join("environments/addons/addons.parameters.yml");
    fs::write(arguments, "Parameters:\n  AlarmEmail: !Ref VPC\n").unwrap();
    let mistake = read(&copy.0, "test").unwrap_err().to_string();
    assert!(mistake.contains("AlarmEmail: what the template of an environment has"), "{mistake}");
}

#[test]
fn a_variable_is_the_text_as_it_is_typed() {
    let copy = Copy::new();
    let manifest = copy.0.join("fulfilment/manifest.yml");
    let text = fs::read_to_string(&manifest).unwrap();
    let typed = ["yes", "010", "1.50", "1e3", "0x10", "1_000", ".5", "+5", "true", "2026-11-26"];
    let mut variables = String::from("variables:\n  NOTHING: ~\n  EMPTY:\n");
    for (number, value) in typed.iter().enumerate() {
        variables += &format!("  V{number}: {value}\n");
    }
    let text = text.replace("variables:\n", &variables);
    let over = "  test:\n    variables:\n      V0: ~\n      V1: 0o7\n";
    fs::write(&manifest, text.replace("  test:\n", over)).unwrap();
    let deployment = read(&copy.0, "test").unwrap();
    let variables = &deployment.service("fulfilment").unwrap().variables;
    let value = |name: &str| match &variables[name].value {
        Expression::Literal(text) => text.clone(),
        other => panic!("{name} is {other:?}"),
    };
    assert_eq!([value("NOTHING"), value("EMPTY")], ["", ""]);
    assert_eq!(value("V0"), "yes", "null overrides nothing");
    assert_eq!(value("V1"), "0o7");
    for (number, typed) in typed.iter().enumerate().skip(2) {
        assert_eq!(value(&format!("V{number}")), *typed);
    }
}

/// What `docs/copilot.md` advises for production: a file for the environment, and what to add to
/// `environments` in the manifest of the publisher and of each worker.
#[test]
fn the_files_for_production_have_no_mistake() {
    let page = fs::read_to_string(real().join("../docs/copilot.md")).unwrap();
    let section = page.split("## Production").nth(1).expect("a section");
    let blocks: Vec<&str> = section.split("```yaml\n").skip(1).collect();
    let blocks: Vec<&str> = blocks.iter().filter_map(|it| it.split("```").next()).collect();
    let [environment, publisher, worker] = blocks[..] else { panic!("{blocks:?}") };
    let copy = Copy::new();
    let prod = copy.0.join("environments/prod");
    fs::create_dir_all(&prod).unwrap();
    fs::write(prod.join("manifest.yml"), environment).unwrap();
    let added = ["publisher", "fulfilment", "promotion", "history"].map(|service| {
        let manifest = copy.0.join(service).join("manifest.yml");
        let more = if service == "publisher" { publisher } else { worker };
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(text.contains("\nenvironments:\n"), "{service}");
        fs::write(manifest, text + more).unwrap();
        service
    });
    for environment in ["test", "prod"] {
        let deployment = read(&copy.0, environment).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(deployment.services.len(), added.len());
    }
}

#[test]
fn secrets_are_names_in_ssm_or_in_secrets_manager_and_an_environment_may_add_some() {
    let copy = Copy::new();
    let manifest = copy.0.join("fulfilment/manifest.yml");
    let text = fs::read_to_string(&manifest).unwrap();
    let secrets = "secrets:\n  A: KEY\n  B: /copilot/${COPILOT_APPLICATION_NAME}/KEY\n  \
                   C: {secretsmanager: 'demo/mysql:password::'}\n  \
                   D: \"'arn:aws:secretsmanager:eu-west-1:123:secret:demo-Yi6mvL'\"\n";
    let text = text.replace("variables:\n", &format!("{secrets}variables:\n"));
    let added = "  test:\n    secrets:\n      A: OTHER\n      E: KEY\n";
    fs::write(&manifest, text.replace("  test:\n", added)).unwrap();
    let deployment = read(&copy.0, "test").unwrap();
    let service = deployment.service("fulfilment").unwrap();
    assert_eq!(service.secrets.iter().collect::<Vec<_>>(), ["A", "B", "C", "D", "E"]);
    assert!(service.secrets.iter().all(|name| !service.variables.contains_key(name)));
}

#[test]
fn a_patch_may_change_the_secrets_that_copilot_writes() {
    let copy = Copy::new();
    let path = "/Resources/TaskDefinition/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom";
    let patches = copy.0.join("fulfilment/overrides/cfn.patches.yml");
    let text = fs::read_to_string(&patches).unwrap();
    let patch = format!("\n- op: replace\n  path: {path}\n  value: KEY\n");
    fs::write(&patches, text + &patch).unwrap();
    assert!(read(&copy.0, "test").unwrap_err().to_string().contains("Secrets"));
    let manifest = copy.0.join("fulfilment/manifest.yml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("variables:\n", "secrets: {A: KEY}\nvariables:\n")).unwrap();
    read(&copy.0, "test").unwrap();
}

#[test]
fn the_filter_policies_of_a_service_are_those_of_its_queue() {
    let deployment = read(&real(), "test").unwrap();
    let policies = |service: &str| {
        let service = deployment.service(service).unwrap();
        deployment.filter_policies(service).collect::<Vec<_>>()
    };
    assert_eq!(policies("publisher").len(), 1, "payments");
    assert!(policies("fulfilment").is_empty());
    let [policy] = policies("promotion")[..] else {
        panic!("promotion filters one topic");
    };
    assert!(policy.lower_bound("amount").is_some());
}

#[test]
fn every_image_is_made_from_the_folder_of_its_service() {
    // The second sample's packages have the name of the application in front.
    for (files, prefix) in [(real(), ""), (receipts(), "receipts-")] {
        for service in Workspace::read(&files, "test").unwrap().services {
            let manifest = fs::read_to_string(&service.file).unwrap();
            let named = |key| manifest.lines().find_map(|it| it.trim().strip_prefix(key));
            let Some(folder) = named("FOLDER: ") else {
                continue;
            };
            let package = real().join("..").join(folder).join("Cargo.toml");
            let package = fs::read_to_string(package).unwrap_or_default();
            assert!(package.contains(&format!("name = \"{prefix}{}\"", service.name)), "{folder}");
            assert!(files.join("..").join(named("dockerfile: ").unwrap()).is_file());
            assert_eq!(named("SYSTEM: "), (!prefix.is_empty()).then_some("receipts"));
        }
    }
}

#[test]
fn an_argument_of_an_addon_has_to_be_in_copilots_template() {
    let copy = Copy::new();
    let arguments = copy.0.join("fulfilment/addons/addons.parameters.yml");
    fs::write(arguments, "Parameters:\n  StatusTopic: !Ref pingSNSTopic\n").unwrap();
    let mistake = read(&copy.0, "test").unwrap_err();
    assert!(mistake.to_string().contains("pingSNSTopic"), "{mistake}");
}
