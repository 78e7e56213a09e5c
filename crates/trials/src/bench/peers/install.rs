//! Installs the peers under `target/peers`, from the files in `crates/trials/peers`. They are no
//! dependencies of this workspace, and a machine that cannot install one goes without it.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use tokio::{fs, process::Command};

/// The files of the peers.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");
/// What sqs-consumer 15 needs.
const NODE_MIN_MAJOR: u32 = 22;

/// A program that empties the queue at `QUEUE_URL`.
pub struct Worker {
    /// What it runs on, and how.
    pub name: String,
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its variables, besides those for the AWS SDK.
    pub variables: Vec<(&'static str, &'static str)>,
}

/// Our runtime, in this executable.
///
/// # Errors
///
/// If the operating system does not name the executable.
pub fn ours() -> anyhow::Result<Worker> {
    Ok(Worker {
        name: "our runtime".to_owned(),
        program: env::current_exe().context("finding this executable")?,
        arguments: vec!["worker".to_owned()],
        // As in the manifests of our workers.
        variables: vec![("TOKIO_WORKER_THREADS", "1")],
    })
}

/// sqs-consumer, by npm: one consumer of single messages, and four of batches.
///
/// # Errors
///
/// If it cannot be installed.
pub async fn sqs_consumer(target: &Path) -> anyhow::Result<Vec<Worker>> {
    let folder = target.join("peers/sqs-consumer");
    fs::create_dir_all(&folder).await?;
    for file in ["package.json", "package-lock.json", "drain.js"] {
        fs::copy(Path::new(SOURCES).join("sqs-consumer").join(file), folder.join(file)).await?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
    output(&mut npm).await?;
    let node = node(&folder).await?;
    let worker = |name: &str, way: &str, consumers: &str| Worker {
        name: format!("sqs-consumer 15, {name}"),
        program: node.clone(),
        arguments: [folder.join("drain.js").to_string_lossy().as_ref(), way, consumers]
            .map(str::to_owned)
            .to_vec(),
        variables: Vec::new(),
    };
    Ok(vec![worker("single messages", "single", "1"), worker("batches × 4", "batch", "4")])
}

/// The Node that npm has just installed, or else that of the machine.
async fn node(folder: &Path) -> anyhow::Result<PathBuf> {
    let installed = folder.join("node_modules/.bin/node");
    let node = if installed.is_file() { installed } else { on_path("node")? };
    let version = output(Command::new(&node).arg("--version")).await?;
    let version = version.trim();
    let major = version.trim_start_matches('v').split('.').next().and_then(|it| it.parse().ok());
    let is_new = major.is_some_and(|major: u32| major >= NODE_MIN_MAJOR);
    ensure!(is_new, "it needs Node {NODE_MIN_MAJOR} or newer, and this is {version}");
    Ok(node)
}

/// The program `name` on this machine. A worker inherits no variables, and so no `PATH`.
fn on_path(name: &str) -> anyhow::Result<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut candidates = env::split_paths(&folders).map(|folder| folder.join(name));
    candidates.find(|it| it.is_file()).with_context(|| format!("{name} is not installed"))
}

/// ruststream, by cargo.
///
/// # Errors
///
/// If it cannot be built.
pub async fn ruststream(target: &Path) -> anyhow::Result<Vec<Worker>> {
    let folder = target.join("peers/ruststream");
    let cargo = env::var_os("CARGO").context("this does not run under cargo")?;
    let manifest = Path::new(SOURCES).join("ruststream/Cargo.toml");
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--locked", "--quiet", "--manifest-path"]).arg(manifest);
    output(build.arg("--target-dir").arg(&folder)).await?;
    Ok(vec![Worker {
        name: "ruststream-sqs-sns 0.7.1".to_owned(),
        program: folder.join("release/ruststream-peer"),
        arguments: vec!["run".to_owned()],
        variables: Vec::new(),
    }])
}

/// What a command prints. An error has the last line of its errors.
async fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command.output().await.with_context(|| format!("{name} cannot be started"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let reason = errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    ensure!(output.status.success(), "{name} failed: {reason}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
