//! Finds the services' binaries, and builds them under cargo.

use std::{
    env,
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use pubsub::env::Misconfigured;
use serde::Deserialize;
use tokio::process::Command;

/// The packages that no service of the order system needs.
const OTHERS: [&str; 4] = ["trials", "receipts", "receipts-scanner", "receipts-web"];

/// The directory of the services' binaries, which is that of this executable.
///
/// Under cargo they are built first, with the profile of this executable; a container has them.
///
/// # Errors
///
/// If they do not build.
pub async fn binaries() -> anyhow::Result<PathBuf> {
    let executable = env::current_exe().context("finding this executable")?;
    let mut directory = executable.parent().context("the executable has no directory")?;
    // Test executables are one directory deeper.
    if directory.ends_with("deps") {
        directory = directory.parent().context("no target directory")?;
    }
    build(directory).await?;
    Ok(directory.to_owned())
}

/// The binary of the service `name` in `directory`.
///
/// # Errors
///
/// [`Misconfigured`] if there is none.
pub fn binary(directory: &Path, name: &str) -> Result<PathBuf, Misconfigured> {
    let path = directory.join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Misconfigured(format!(
        "{} is missing: build it with `cargo build --workspace --bins`, or run this with cargo",
        path.display()
    )))
}

/// The `copilot` directory of the workspace under cargo, else of the current directory.
pub fn copilot_directory() -> PathBuf {
    let workspace = workspace_directory().unwrap_or_default();
    // A mistake is reported with the file's path, which is short from within the workspace.
    let here = env::current_dir().unwrap_or_default();
    let short = workspace.strip_prefix(here).map(Path::to_owned);
    short.unwrap_or(workspace).join("copilot")
}

/// The directory `from`, or else that of the workspace with this name; without it, `copilot`.
pub fn files_directory(from: Option<&Path>) -> PathBuf {
    match from {
        None => copilot_directory(),
        Some(from) if from.exists() => from.to_owned(),
        Some(from) => workspace_directory().unwrap_or_default().join(from),
    }
}

fn workspace_directory() -> Option<PathBuf> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    package.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).map(Path::to_owned)
}

/// What became of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebuilt {
    /// These services have new binaries.
    Services(Vec<String>),
    /// It failed, with what the compiler says.
    Failed(String),
}

/// Builds these services again, whose binaries are in `directory`. What the compiler says is in
/// colour if `in_colour`.
///
/// # Errors
///
/// If cargo is not found.
pub async fn rebuild(
    directory: &Path,
    services: &[String],
    in_colour: bool,
) -> anyhow::Result<Rebuilt> {
    let mut command = cargo(directory).context("this does not run under cargo")?;
    command.args(["--quiet", "--message-format"]);
    command.arg(if in_colour { "json-diagnostic-rendered-ansi" } else { "json" });
    command.args(services.iter().flat_map(|service| ["--bin", service]));
    let output = command.output().await.context("starting cargo")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<Message> =
        printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if output.status.success() {
        return Ok(Rebuilt::Services(messages.into_iter().filter_map(Message::built).collect()));
    }
    let errors: String = messages.into_iter().filter_map(Message::error).collect();
    // A mistake in a Cargo.toml is not a message of the compiler.
    let or_else = || String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Rebuilt::Failed(Some(errors).filter(|it| !it.is_empty()).unwrap_or_else(or_else)))
}

/// The folders whose changes may change a service, and the workspace itself.
///
/// # Errors
///
/// If this does not run under cargo.
pub async fn sources() -> anyhow::Result<Sources> {
    let workspace = workspace_directory().context("this does not run under cargo")?;
    let mut command = Command::new(env::var_os("CARGO").context("this does not run under cargo")?);
    command.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(&workspace);
    let output = command.kill_on_drop(true).output().await.context("starting cargo")?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let packages =
        metadata.packages.into_iter().filter(|package| !OTHERS.contains(&&*package.name));
    let folders = packages.filter_map(|it| it.manifest_path.parent().map(Path::to_owned));
    Ok(Sources { folders: folders.collect(), workspace })
}

/// Where the sources are.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The folder of each package.
    pub folders: Vec<PathBuf>,
    /// The folder with `Cargo.toml` and `Cargo.lock`.
    pub workspace: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// A message of cargo, as far as it is of interest.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
    message: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    rendered: Option<String>,
}

impl Message {
    /// The binary that was built, if it is one and is new.
    fn built(self) -> Option<String> {
        let is_new = self.reason == "compiler-artifact" && !self.fresh;
        let name = self.executable.filter(|_| is_new)?.file_name()?.to_str()?.to_owned();
        Some(name)
    }

    /// An error, as the compiler prints it.
    fn error(self) -> Option<String> {
        self.message.filter(|it| it.level.starts_with("error"))?.rendered
    }
}

async fn build(directory: &Path) -> anyhow::Result<()> {
    let Some(mut command) = cargo(directory) else { return Ok(()) };
    command.arg("--bins");
    if !std::io::stderr().is_terminal() {
        command.arg("--quiet");
    }
    let status = command.status().await.context("starting cargo")?;
    anyhow::ensure!(status.success(), "the services do not build");
    Ok(())
}

/// `cargo build` into `directory`, of the packages of the services; `None` if not under cargo.
///
/// The features of dependencies are those that all of these packages enable, so that nothing is
/// compiled again when only some of the binaries are built.
fn cargo(directory: &Path) -> Option<Command> {
    let mut command = Command::new(env::var_os("CARGO")?);
    command.args(["build", "--workspace"]).kill_on_drop(true);
    command.args(OTHERS.iter().flat_map(|package| ["--exclude", package]));
    let profile = directory.file_name().and_then(|name| name.to_str());
    if let Some(profile) = profile.filter(|profile| *profile != "debug") {
        command.args(["--profile", profile]);
    }
    if let Some(workspace) = workspace_directory() {
        command.current_dir(workspace);
    }
    // Build scripts watch the variables that cargo set for this process; with other values, half of
    // the dependencies would be rebuilt.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let set_by_cargo = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if set_by_cargo.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    Some(command)
}
