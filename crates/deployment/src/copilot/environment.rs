//! `environments/*/manifest.yml`: the settings of an environment.

use std::{collections::BTreeSet, path::Path};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{interpolation, names::check_name};
use crate::{cloudformation::expression::Value, files::directories, mistake::Mistake, yaml};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Environment {
    name: Spanned<String>,
    #[serde(rename = "type")]
    _type: Type,
    #[serde(default, rename = "observability")]
    _observability: Option<Observability>,
}

#[derive(Deserialize)]
enum Type {
    Environment,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Observability {
    #[serde(rename = "container_insights")]
    _container_insights: bool,
}

/// Reads all environments, of which `wanted` has to be one, and returns their names.
///
/// # Errors
///
/// The first [`Mistake`] in their files.
pub fn read_all(workspace: &Path, wanted: &str) -> Result<BTreeSet<String>, Mistake> {
    let directory = workspace.join("environments");
    let mut names = directories(&directory)?;
    // The addons and overrides of all environments.
    names.retain(|name| name != "addons" && name != "overrides");
    for name in &names {
        read(&directory.join(name).join("manifest.yml"), name)?;
    }
    if names.contains(wanted) {
        return Ok(names);
    }
    Err(Mistake::of(&directory, format!("there is no environment {wanted:?}")))
}

fn read(file: &Path, name: &str) -> Result<(), Mistake> {
    let environment: Environment = yaml::read(file)?;
    interpolation::check(&yaml::read::<Value>(file)?)
        .map_err(|wrong| Mistake::from_wrong(file, wrong))?;
    if environment.name.value != name {
        let what =
            format!("name: it is {:?}, but its directory is {name:?}", environment.name.value);
        return Err(Mistake::at(file, environment.name.referenced, what));
    }
    check_name(&environment.name).map_err(|wrong| Mistake::from_wrong(file, wrong))
}
