//! Reads the files that describe a deployment, as data. It needs neither AWS nor a runtime.
//!
//! A [`Deployment`] lists the resources to create in an AWS account and the variables that each
//! service gets. [`copilot::read`] reads one from the files of AWS Copilot, and
//! [`infrastructure::read`] from plain CloudFormation templates. Nothing in a [`Deployment`]
//! belongs to either.

pub mod description;

pub mod cloudformation;

pub mod copilot;

pub mod infrastructure;

mod bare;
mod mistake;
mod scaling;

mod files;
mod within;
mod yaml;

pub use description::Deployment;
pub use mistake::Mistake;
pub use scaling::changes_tasks;

/// Reads the deployment to `environment` from the files in `directory`: plain templates if there is
/// a list of stacks, and otherwise the files of AWS Copilot.
///
/// # Errors
///
/// The first [`Mistake`] in the files.
pub fn read(directory: &std::path::Path, environment: &str) -> Result<Deployment, Mistake> {
    if directory.join(infrastructure::STACKS).is_file() {
        infrastructure::read(directory, environment)
    } else {
        copilot::read(directory, environment)
    }
}
