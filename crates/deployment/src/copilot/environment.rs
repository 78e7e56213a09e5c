//! `environments/*/manifest.yml`: the settings of an environment. A local account has no network
//! and no load balancer, so they are read to check them.

use std::{collections::BTreeMap, path::Path};

use super::{interpolation, names::check_name};
use crate::{cloudformation::expression::Value, files::directories, mistake::Mistake, yaml};

mod network;
mod settings;

pub use self::settings::Settings;

/// The environments of a workspace, by name.
pub type Environments = BTreeMap<String, Settings>;

/// Reads all environments, of which `wanted` has to be one.
///
/// # Errors
///
/// The first [`Mistake`] in their files.
pub fn read_all(workspace: &Path, wanted: &str) -> Result<Environments, Mistake> {
    let directory = workspace.join("environments");
    let mut names = directories(&directory)?;
    // The addons and overrides of all environments.
    names.retain(|name| name != "addons" && name != "overrides");
    let mut environments = Environments::new();
    for name in names {
        let settings = read(&directory.join(&name).join("manifest.yml"), &name)?;
        environments.insert(name, settings);
    }
    if environments.contains_key(wanted) {
        return Ok(environments);
    }
    Err(Mistake::of(&directory, format!("there is no environment {wanted:?}")))
}

fn read(file: &Path, name: &str) -> Result<Settings, Mistake> {
    let environment: Settings = yaml::read(file)?;
    interpolation::check(&yaml::read::<Value>(file)?)
        .and_then(|()| environment.check())
        .map_err(|wrong| Mistake::from_wrong(file, wrong))?;
    if environment.name.value != name {
        let what =
            format!("name: it is {:?}, but its directory is {name:?}", environment.name.value);
        return Err(Mistake::at(file, environment.name.referenced, what));
    }
    check_name(&environment.name).map_err(|wrong| Mistake::from_wrong(file, wrong))?;
    Ok(environment)
}
