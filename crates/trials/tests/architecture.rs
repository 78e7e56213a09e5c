//! The rules of `docs/architecture.md`: which crate may depend on which, and that no two modules
//! import each other. And two limits: the length of a line, and the size of the sample.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

mod modules;

type Outcome = anyhow::Result<()>;

/// The crates of this workspace that each crate may depend on.
const MAY_KNOW: [(&str, &[&str]); 16] = [
    ("pubsub", &[]),
    ("deployment", &[]),
    ("orders", &["pubsub"]),
    ("outbox", &["pubsub"]),
    ("archive", &["pubsub"]),
    ("web", &["pubsub"]),
    ("webhooks", &["orders", "outbox", "pubsub", "web"]),
    ("flow", &["orders"]),
    ("account", &["deployment", "pubsub"]),
    ("console", &["account", "orders", "pubsub", "web"]),
    ("local", &["account", "archive", "console", "deployment", "orders", "outbox", "pubsub"]),
    ("trials", &["account", "archive", "deployment", "local", "orders", "pubsub"]),
    ("publisher", &["archive", "flow", "orders", "outbox", "pubsub", "web", "webhooks"]),
    ("receipts", &["pubsub"]),
    ("receipts-scanner", &["pubsub", "receipts"]),
    ("receipts-web", &["outbox", "pubsub", "receipts", "web"]),
];
/// The crates of this workspace that a subscriber may depend on, whatever its name.
const A_SUBSCRIBER_MAY_KNOW: &[&str] = &["archive", "orders", "pubsub"];

/// The most lines of Rust that a reader of the sample has to read.
const SAMPLE_MAX_LINES: usize = 1_500;
const SECOND_SAMPLE_MAX_LINES: usize = 900;
const MAX_COLUMNS: usize = 100;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn packages() -> anyhow::Result<Vec<Value>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(workspace());
    let output = cargo.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout)?;
    Ok(metadata["packages"].as_array_mut().context("no packages")?.drain(..).collect())
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap_or_default()
}

/// The folder of a package.
fn folder(package: &Value) -> anyhow::Result<&Path> {
    let manifest = package["manifest_path"].as_str().context("a package without manifest")?;
    Path::new(manifest).parent().context("a manifest without folder")
}

/// The names of a package's dependencies, without those of its tests.
fn dependencies(package: &Value) -> BTreeSet<&str> {
    let all = package["dependencies"].as_array().into_iter().flatten();
    all.filter(|dependency| dependency["kind"].is_null()).map(name).collect()
}

#[test]
fn a_crate_depends_only_on_those_it_may_know() -> Outcome {
    let packages = packages()?;
    let ours: BTreeSet<&str> = packages.iter().map(name).collect();
    for package in &packages {
        let rule = MAY_KNOW.iter().find(|(known, _)| *known == name(package));
        let is_subscriber = folder(package)?.parent().is_some_and(|it| it.ends_with("subscribers"));
        let may_know = match rule {
            Some((_, may_know)) => *may_know,
            None if is_subscriber => A_SUBSCRIBER_MAY_KNOW,
            None => anyhow::bail!("MAY_KNOW in this test lacks the crate {}", name(package)),
        };
        let dependencies = dependencies(package);
        let knows = dependencies.intersection(&ours);
        let forbidden: Vec<_> = knows.filter(|it| !may_know.contains(it)).collect();
        ensure!(forbidden.is_empty(), "{} may not depend on {forbidden:?}", name(package));
    }
    Ok(())
}

#[test]
fn the_reader_of_deployment_files_needs_neither_aws_nor_a_runtime() -> Outcome {
    let packages = packages()?;
    let deployment = packages.iter().find(|it| name(it) == "deployment").context("no package")?;
    let foreign = |it: &&str| it.starts_with("aws-") || ["tokio", "hyper"].contains(it);
    let found: Vec<_> = dependencies(deployment).into_iter().filter(foreign).collect();
    ensure!(found.is_empty(), "deployment depends on {found:?}");
    Ok(())
}

#[test]
fn cloudformation_does_not_know_who_reads_it() -> Outcome {
    let graph = modules::Graph::read(&workspace().join("crates/deployment/src"))?;
    let is_in = |module: &str, part: &str| module.split("::").next() == Some(part);
    let cloudformation: Vec<_> =
        graph.imports.keys().filter(|it| is_in(it, "cloudformation")).collect();
    ensure!(!cloudformation.is_empty(), "there is no module cloudformation");
    let mut found = BTreeSet::new();
    for module in cloudformation {
        let reached = graph.reached_from(module);
        let is_reader = |it: &str| is_in(it, "copilot") || is_in(it, "infrastructure");
        let outside = reached.iter().chain([module]).filter(|it| !is_reader(it));
        for importer in outside {
            let readers = graph.imports[importer].iter().filter(|it| is_reader(it));
            found.extend(readers.map(|it| format!("{importer} imports {it}")));
        }
    }
    ensure!(found.is_empty(), "cloudformation reaches a reader: {found:#?}");
    Ok(())
}

#[test]
fn no_module_imports_one_that_imports_it_back() -> Outcome {
    let mut circular = Vec::new();
    for package in packages()? {
        let graph = modules::Graph::read(&folder(&package)?.join("src"))?;
        let imports = graph.circular_imports().into_iter();
        circular.extend(imports.map(|import| format!("{}: {import}", name(&package))));
    }
    ensure!(circular.is_empty(), "imports in a circle:\n{}", circular.join("\n"));
    Ok(())
}

#[test]
fn a_circle_is_found_in_a_use_a_path_and_a_macro() -> Outcome {
    let source = tempfile::tempdir()?;
    let written = [
        "use super::one;",
        "fn of() -> crate::one::Thing { todo!() }",
        "fn of() { println!(\"{}\", super::one::THING) }",
    ];
    for import in written {
        fs::write(source.path().join("lib.rs"), format!("mod one; mod other {{ {import} }}"))?;
        fs::write(source.path().join("one.rs"), "use crate::other;")?;
        let found = modules::Graph::read(source.path())?.circular_imports();
        assert_eq!(found, ["one imports other", "other imports one"], "{import}");
    }
    fs::write(source.path().join("one.rs"), "#[cfg(test)] mod tests { use crate::other; }")?;
    let found = modules::Graph::read(source.path())?.circular_imports();
    assert_eq!(found, Vec::<String>::new());
    Ok(())
}

/// Lines of code, without tests, blank lines and comments.
fn lines_of_code(source: &Path) -> anyhow::Result<usize> {
    let graph = modules::Graph::read(source)?;
    let mut lines = 0;
    for file in &graph.files {
        let text = fs::read_to_string(file)?;
        // Inline tests are at the end of a file.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        lines += code
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .count();
    }
    Ok(lines)
}

/// The lines of Rust in these folders, without tests, blank lines and comments.
fn lines_in(folders: &[&str]) -> anyhow::Result<usize> {
    let sources = folders.iter().map(|folder| workspace().join(folder).join("src"));
    sources.map(|source| lines_of_code(&source)).sum()
}

#[test]
fn the_sample_has_as_many_lines_as_the_readme_says() -> Outcome {
    let lines = lines_in(&["publisher", "subscribers/fulfilment", "subscribers/promotion"])?;
    ensure!(lines < SAMPLE_MAX_LINES, "the sample has {lines} lines");
    let readme = fs::read_to_string(workspace().join("README.md"))?;
    let sentence = format!(": {lines} lines of Rust without tests, blank lines and comments.");
    ensure!(readme.contains(&sentence), "README.md should say \"{sentence}\"");
    Ok(())
}

#[test]
fn the_second_sample_has_as_many_lines_as_its_readme_says() -> Outcome {
    let services = lines_in(&["examples/receipts/web", "examples/receipts/scanner"])?;
    ensure!(services < SECOND_SAMPLE_MAX_LINES, "the second sample has {services} lines");
    let contract = lines_in(&["examples/receipts/contract"])?;
    let readme = fs::read_to_string(workspace().join("examples/receipts/README.md"))?;
    for sentence in [
        format!("Both services together have {services} lines of Rust without tests, blank lines"),
        format!("[`contract`](contract) has {contract},"),
    ] {
        ensure!(readme.contains(&sentence), "examples/receipts/README.md should say {sentence:?}");
    }
    Ok(())
}

#[test]
fn no_line_of_rust_is_too_long() -> Outcome {
    let mut files = Vec::new();
    for package in packages()? {
        add_rust_files(folder(&package)?, &mut files)?;
    }
    let mut too_long = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)?;
        let numbered = text.lines().zip(1..);
        let long = numbered.filter(|(line, _)| line.chars().count() > MAX_COLUMNS);
        too_long.extend(long.map(|(_, number)| format!("{}:{number}", file.display())));
    }
    let lines = too_long.join("\n");
    ensure!(too_long.is_empty(), "lines of more than {MAX_COLUMNS} columns:\n{lines}");
    Ok(())
}

fn add_rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            add_rust_files(&path, files)?;
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
