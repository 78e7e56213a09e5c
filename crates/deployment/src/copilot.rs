//! Reads the files of AWS Copilot, from a directory such as `copilot/`.
//!
//! The files are read strictly, so that a local account is made from exactly what AWS gets. Every
//! [`Mistake`] in a file, or between two files, is one sentence with file, line and column.

use std::path::Path;

use crate::{cloudformation::resolve, description::Deployment, mistake::Mistake};

mod workspace;

mod environment;
mod service;

mod manifest;

mod unsupported;

mod addons;
mod outline;
mod patched;
mod patches;
mod permissions;

mod pipeline;

mod translate;

mod duration;
mod interpolation;
mod names;

#[cfg(test)]
mod tests;

use self::workspace::Workspace;

/// Reads the deployment to `environment`, and checks the files for all environments.
///
/// # Errors
///
/// The first [`Mistake`] in the files.
pub fn read(directory: &Path, environment: &str) -> Result<Deployment, Mistake> {
    let workspace = Workspace::read(directory, environment)?;
    let deployment = translate::deployment(&workspace);
    resolve::check(&deployment.stacks)?;
    pipeline::read_all(directory, &workspace)?;
    Ok(deployment)
}
