//! `pipelines/*/manifest.yml`: the services that a push to a branch deploys, and their order.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, de::IgnoredAny};
use serde_saphyr::Spanned;

use super::{service::ServiceFiles, workspace::Workspace};
use crate::{
    bare,
    files::directories,
    mistake::{Mistake, Wrong},
    yaml::{self, Entries},
};

mod buildspec;

/// The only version that Copilot accepts.
const VERSION: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pipeline {
    name: Spanned<String>,
    #[serde(default, deserialize_with = "bare::spanned")]
    version: Option<Spanned<u32>>,
    #[serde(rename = "source")]
    _source: Source,
    #[serde(default, rename = "build")]
    _build: Build,
    stages: Vec<Stage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    #[serde(rename = "provider")]
    _provider: Provider,
    #[serde(rename = "properties")]
    _properties: Properties,
}

#[derive(Deserialize)]
enum Provider {
    GitHub,
    Bitbucket,
    CodeCommit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Properties {
    #[serde(rename = "branch")]
    _branch: String,
    #[serde(rename = "repository")]
    _repository: String,
    #[serde(rename = "connection_name")]
    _connection_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    #[serde(rename = "image")]
    _image: Option<String>,
    #[serde(rename = "additional_policy")]
    _additional_policy: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stage {
    name: Spanned<String>,
    deployments: Option<Entries<Option<Step>>>,
    #[serde(rename = "requires_approval")]
    _requires_approval: Option<bool>,
    #[serde(rename = "test_commands")]
    _test_commands: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    depends_on: Vec<Spanned<String>>,
}

/// Reads all pipelines in `directory`, if it has any.
///
/// # Errors
///
/// The first [`Mistake`] in them, or between them and the rest of the workspace.
pub fn read_all(directory: &Path, workspace: &Workspace) -> Result<(), Mistake> {
    let directory = directory.join("pipelines");
    if !directory.exists() {
        return Ok(());
    }
    for name in directories(&directory)? {
        let file = directory.join(&name).join("manifest.yml");
        let pipeline: Pipeline = yaml::read(&file)?;
        (pipeline.check(&name, workspace)).map_err(|wrong| Mistake::from_wrong(&file, wrong))?;
        buildspec::read(&directory.join(&name).join("buildspec.yml"))?;
    }
    Ok(())
}

impl Pipeline {
    fn check(&self, directory: &str, workspace: &Workspace) -> Result<(), Wrong> {
        if self.name.value != directory {
            let what =
                format!("name: it is {:?}, but its directory is {directory:?}", self.name.value);
            return Err((self.name.referenced, what));
        }
        let version = self.version.as_ref();
        if version.map(|it| it.value) != Some(VERSION) {
            let place = version.map_or(self.name.referenced, |it| it.referenced);
            return Err((place, format!("version: Copilot needs one, and accepts only {VERSION}")));
        }
        for stage in &self.stages {
            if !workspace.environments.contains(&stage.name.value) {
                let what = format!("stages.name: there is no environment {:?}", stage.name.value);
                return Err((stage.name.referenced, what));
            }
            stage.check(&workspace.services)?;
        }
        Ok(())
    }
}

impl Stage {
    fn check(&self, services: &[ServiceFiles]) -> Result<(), Wrong> {
        // Without deployments, Copilot deploys all services at once.
        let deployments: BTreeMap<&str, (_, &[Spanned<String>])> = (self.deployments.iter())
            .flat_map(Entries::iter)
            .map(|(name, it)| {
                let depends_on = it.as_ref().map_or([].as_slice(), |it| &it.depends_on);
                (name.value.as_str(), (name.referenced, depends_on))
            })
            .collect();
        for (name, (place, depends_on)) in &deployments {
            if !services.iter().any(|service| service.name == *name) {
                return Err((*place, format!("stages.deployments: there is no service {name:?}")));
            }
            let known = |it: &&Spanned<String>| deployments.contains_key(it.value.as_str());
            if let Some(unknown) = depends_on.iter().find(|it| !known(it) || it.value == *name) {
                let what = format!(
                    "stages.deployments.{name}.depends_on: the stage deploys no {:?} before it",
                    unknown.value
                );
                return Err((unknown.referenced, what));
            }
        }
        for service in services {
            let Some((place, depends_on)) = deployments.get(service.name.as_str()) else {
                let what = format!("stages.deployments: {} is missing", service.name);
                return Err((self.name.referenced, what));
            };
            check_order(service, depends_on).map_err(|what| (*place, what))?;
        }
        Ok(())
    }
}

/// A subscription needs its topic to exist.
fn check_order(service: &ServiceFiles, depends_on: &[Spanned<String>]) -> Result<(), String> {
    let mut owners = service.manifest.subscriptions().map(|topic| &topic.service);
    match owners.find(|owner| !depends_on.iter().any(|it| it.value == owner.value)) {
        Some(owner) => Err(format!(
            "stages.deployments.{}: it subscribes to a topic of {}, so it depends on it",
            service.name, owner.value
        )),
        None => Ok(()),
    }
}
