//! Reads plain CloudFormation templates, from a directory such as `infrastructure/`.
//!
//! The file `stacks` lists the stacks in the order of their deployment, each with its template and
//! parameters; `environments/NAME` has the parameters that differ between environments. The script
//! that deploys reads the same two files.

use std::{collections::BTreeSet, path::Path};

use crate::{
    cloudformation::{resolve, stack::Stack},
    description::Deployment,
    mistake::Mistake,
};

mod plan;

mod template;

mod imports;

mod service;

#[cfg(test)]
mod tests;

pub use self::plan::STACKS;
use self::{plan::Plan, service::Services};

/// Reads the deployment to `environment`.
///
/// # Errors
///
/// The first [`Mistake`] in the files.
pub fn read(directory: &Path, environment: &str) -> Result<Deployment, Mistake> {
    let plan = Plan::read(directory, environment)?;
    let mut stacks = Vec::<Stack>::new();
    let mut known_parameters = BTreeSet::new();
    let mut exports = BTreeSet::new();
    for planned in &plan.stacks {
        let read = template::read(&plan, planned)?;
        imports::check(&read, &mut exports)?;
        known_parameters.extend(read.parameters);
        stacks.push(read.stack);
    }
    plan.check_parameters(&known_parameters)?;
    let known = resolve::imagined(&stacks)?;
    let services = Services { stacks: &stacks, known: &known }.read()?;
    let (application, environment) = (plan.application, environment.to_owned());
    Ok(Deployment { application, environment, stacks: stacks.clone(), services })
}
