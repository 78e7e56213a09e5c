//! Finds the services' binaries, and builds them under cargo.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use pubsub::env::Misconfigured;
use tokio::process::Command;

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
    if let Some(cargo) = env::var_os("CARGO") {
        build(cargo, directory).await?;
    }
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

fn workspace_directory() -> Option<PathBuf> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    package.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).map(Path::to_owned)
}

async fn build(cargo: OsString, directory: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(cargo);
    command.args(["build", "--workspace", "--exclude", "trials", "--bins", "--quiet"]);
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
    let status = command.status().await.context("starting cargo")?;
    anyhow::ensure!(status.success(), "the services do not build");
    Ok(())
}
