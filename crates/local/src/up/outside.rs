//! The services that were left out, and what a person needs to run one of them in a debugger.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context as _;
use local::system::System;

use super::variables::LOG_FORMAT;

/// Writes the variables of the service `name` to `file`, in the format of the environment files of
/// Docker and VS Code.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write(system: &System, name: &str, file: &Path) -> anyhow::Result<()> {
    let text = env_file(name, &variables(system, name)?);
    fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

/// The variables of the service `name` as lines to paste into a shell.
///
/// # Errors
///
/// If there is no such service.
pub fn exports(system: &System, name: &str) -> anyhow::Result<String> {
    let exports = shell(&variables(system, name)?);
    Ok(format!("{name} is left out; it needs these variables:\n{exports}"))
}

/// A person reads what such a service logs, so it is not JSON.
fn variables(system: &System, name: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut variables = system.variables(name)?;
    variables.remove(LOG_FORMAT.0);
    Ok(variables)
}

fn env_file(name: &str, variables: &BTreeMap<String, String>) -> String {
    let lines = variables.iter().map(|(name, value)| format!("{name}={value}\n"));
    format!(
        "# The variables of {name} on this machine, written by `local --env-file`. The next start \
         may change them.\n{}",
        lines.collect::<String>()
    )
}

fn shell(variables: &BTreeMap<String, String>) -> String {
    let quoted = |value: &String| format!("'{}'", value.replace('\'', r"'\''"));
    let lines = variables.iter().map(|(name, value)| format!("export {name}={}", quoted(value)));
    lines.collect::<Vec<_>>().join("\n")
}
