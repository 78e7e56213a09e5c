//! Finds the services' binaries, and builds them under cargo.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use pubsub::env::Misconfigured;
use serde::Deserialize;
use tokio::process::Command;

/// The package that no service needs.
const TRIALS: &str = "trials";
/// The packages that no service of the order system needs.
pub const OTHERS: [&str; 4] = [TRIALS, "receipts", "receipts-scanner", "receipts-web"];
/// This package.
const LOCAL: &str = "local";

/// What is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All services of the order system.
    Orders,
    /// These binaries.
    Binaries(Vec<String>),
}

/// The directory of the order system's binaries, which is that of this executable.
///
/// Under cargo they are built first, with the profile of this executable; a container has them.
///
/// # Errors
///
/// If they do not build.
pub async fn binaries() -> anyhow::Result<PathBuf> {
    binaries_of(&Which::Orders).await
}

/// The directory of these binaries, as [`binaries`].
///
/// # Errors
///
/// If they do not build.
pub async fn binaries_of(which: &Which) -> anyhow::Result<PathBuf> {
    let directory = own_directory()?;
    build(&directory, which).await?;
    Ok(directory)
}

/// The directory of the order system's debug builds, beside that of this executable, as
/// [`binaries`].
///
/// # Errors
///
/// If they do not build.
pub async fn debug_binaries() -> anyhow::Result<PathBuf> {
    let directory = own_directory()?.with_file_name("debug");
    build(&directory, &Which::Orders).await?;
    Ok(directory)
}

fn own_directory() -> anyhow::Result<PathBuf> {
    let executable = env::current_exe().context("finding this executable")?;
    let directory = executable.parent().context("the executable has no directory")?;
    // Test executables are one directory deeper.
    let directory = if directory.ends_with("deps") { directory.parent() } else { Some(directory) };
    directory.map(Path::to_owned).context("no target directory")
}

/// What the binary of a service may be called: a build may have those of several applications, of
/// which all but one add their names.
fn names(application: &str, service: &str) -> [String; 2] {
    [format!("{application}-{service}"), service.to_owned()]
}

/// The binary of a service in `directory`: `receipts-web`, or else `web`.
///
/// # Errors
///
/// [`Misconfigured`] if there is none.
pub fn binary_of(
    directory: &Path,
    application: &str,
    service: &str,
) -> Result<PathBuf, Misconfigured> {
    let names = names(application, service);
    let found = names.iter().map(|name| directory.join(name)).find(|path| path.is_file());
    found.map_or_else(|| binary(directory, service), Ok)
}

/// The binary called `name` in `directory`.
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
    /// These are new.
    Binaries(Vec<String>),
    /// It failed, with what the compiler says.
    Failed(String),
}

/// Builds these binaries again, which are in `directory`. What the compiler says is in
/// colour if `in_colour`.
///
/// # Errors
///
/// If cargo is not found.
pub async fn rebuild(
    directory: &Path,
    which: &Which,
    binaries: &[&String],
    in_colour: bool,
) -> anyhow::Result<Rebuilt> {
    let mut command = cargo(directory, which).context("this does not run under cargo")?;
    command.args(["--quiet", "--message-format"]);
    command.arg(if in_colour { "json-diagnostic-rendered-ansi" } else { "json" });
    command.args(binaries.iter().flat_map(|binary| ["--bin", binary]));
    let output = command.output().await.context("starting cargo")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<Message> =
        printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if output.status.success() {
        return Ok(Rebuilt::Binaries(messages.into_iter().filter_map(Message::built).collect()));
    }
    let errors: String = messages.into_iter().filter_map(Message::error).collect();
    // A mistake in a Cargo.toml is not a message of the compiler.
    let or_else = || String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Rebuilt::Failed(Some(errors).filter(|it| !it.is_empty()).unwrap_or_else(or_else)))
}

/// The packages of the workspace.
///
/// # Errors
///
/// If this does not run under cargo.
pub async fn packages() -> anyhow::Result<Packages> {
    let workspace = workspace_directory().context("this does not run under cargo")?;
    let mut command = Command::new(env::var_os("CARGO").context("this does not run under cargo")?);
    command.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(&workspace);
    let output = command.kill_on_drop(true).output().await.context("starting cargo")?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let packages = metadata.packages.into_iter().map(|it| (it.name.clone(), it));
    Ok(Packages { packages: packages.collect(), workspace })
}

/// The packages of the workspace, by name.
#[derive(Clone, Debug)]
pub struct Packages {
    /// The folder with `Cargo.toml` and `Cargo.lock`.
    pub workspace: PathBuf,
    packages: BTreeMap<String, Package>,
}

impl Packages {
    /// The binaries of these services of an application, by service. Each is called as its package.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if a service has no package.
    pub fn binaries(
        &self,
        application: &str,
        services: &[String],
    ) -> Result<BTreeMap<String, String>, Misconfigured> {
        let binary = |service: &String| {
            let names = names(application, service);
            let found = names.iter().find(|name| self.packages.contains_key(*name));
            let found = found.cloned().ok_or_else(|| {
                Misconfigured(format!(
                    "the service {service} has no package: it should be called {}, in the \
                     workspace {}",
                    names.join(" or "),
                    self.workspace.display()
                ))
            })?;
            Ok((service.clone(), found))
        };
        services.iter().map(binary).collect()
    }

    /// The folders whose changes may change these packages, or this program.
    pub fn sources(&self, packages: impl IntoIterator<Item = String>) -> Vec<PathBuf> {
        let mut needed = BTreeSet::new();
        let mut left: Vec<String> = packages.into_iter().chain([LOCAL.to_owned()]).collect();
        while let Some(name) = left.pop() {
            if let Some(package) = self.packages.get(&name)
                && needed.insert(name)
            {
                left.extend(package.dependencies.iter().map(|it| it.name.clone()));
            }
        }
        let folders = needed.iter().filter_map(|name| self.packages[name].manifest_path.parent());
        folders.map(Path::to_owned).collect()
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Clone, Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug, Deserialize)]
struct Dependency {
    name: String,
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

async fn build(directory: &Path, which: &Which) -> anyhow::Result<()> {
    let Some(mut command) = cargo(directory, which) else { return Ok(()) };
    match which {
        Which::Orders => command.arg("--bins"),
        Which::Binaries(names) => command.args(names.iter().flat_map(|name| ["--bin", name])),
    };
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
fn cargo(directory: &Path, which: &Which) -> Option<Command> {
    let mut command = Command::new(env::var_os("CARGO")?);
    command.args(["build", "--workspace"]).kill_on_drop(true);
    let others = match which {
        Which::Orders => &OTHERS[..],
        Which::Binaries(_) => &[TRIALS],
    };
    command.args(others.iter().flat_map(|package| ["--exclude", package]));
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
