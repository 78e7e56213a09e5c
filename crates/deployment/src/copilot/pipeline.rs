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
    source: Source,
    #[serde(default, rename = "build")]
    _build: Build,
    stages: Vec<Stage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    provider: Provider,
    properties: Properties,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
enum Provider {
    GitHub,
    GitHubV1,
    Bitbucket,
    CodeCommit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Properties {
    #[serde(rename = "branch")]
    _branch: String,
    repository: Spanned<String>,
    #[serde(rename = "connection_name")]
    _connection_name: Option<String>,
    #[serde(rename = "access_token_secret")]
    _access_token_secret: Option<String>,
    #[serde(rename = "output_artifact_format")]
    _output_artifact_format: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    #[serde(rename = "image")]
    _image: Option<String>,
    #[serde(rename = "buildspec")]
    _buildspec: Option<String>,
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
    test_commands: Option<Spanned<Vec<String>>>,
    #[serde(rename = "pre_deployments")]
    _pre_deployments: Option<Entries<Extra>>,
    post_deployments: Option<Entries<Extra>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    depends_on: Vec<Spanned<String>>,
    #[serde(rename = "stack_name")]
    _stack_name: Option<String>,
    #[serde(rename = "template_path")]
    _template_path: Option<String>,
    #[serde(rename = "template_config")]
    _template_config: Option<String>,
}

/// A build before or after the deployments of a stage.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Extra {
    #[serde(rename = "buildspec")]
    _buildspec: String,
    #[serde(default, rename = "depends_on")]
    _depends_on: Vec<String>,
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
        self.source.check()?;
        for stage in &self.stages {
            if !workspace.environments.contains_key(&stage.name.value) {
                let what = format!("stages.name: there is no environment {:?}", stage.name.value);
                return Err((stage.name.referenced, what));
            }
            stage.check(&workspace.services)?;
        }
        Ok(())
    }
}

impl Source {
    /// Copilot takes the owner and the name out of it.
    fn check(&self) -> Result<(), Wrong> {
        let Spanned { value, referenced, .. } = &self.properties.repository;
        let has_owner = |it: &str| {
            it.rsplit_once('/').is_some_and(|(owner, name)| !owner.is_empty() && !name.is_empty())
        };
        let (fits, form) = match self.provider {
            Provider::CodeCommit => {
                (value.contains("/codesuite/codecommit/repositories/"), "the URL of its page")
            }
            Provider::Bitbucket => (has_owner(value), "https://bitbucket.org/OWNER/REPOSITORY"),
            Provider::GitHub | Provider::GitHubV1 => {
                (has_owner(value), "https://github.com/OWNER/REPOSITORY")
            }
        };
        let what = format!("source.properties.repository: {value:?} should be {form}");
        if fits { Ok(()) } else { Err((*referenced, what)) }
    }
}

impl Stage {
    fn check(&self, services: &[ServiceFiles]) -> Result<(), Wrong> {
        if let (Some(commands), Some(_)) = (&self.test_commands, &self.post_deployments) {
            let what = "stages.test_commands: post_deployments exclude them";
            return Err((commands.referenced, what.to_owned()));
        }
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
        let waits = |name: &str| deployments.get(name).map_or([].as_slice(), |it| it.1);
        for (name, (place, _)) in &deployments {
            if waits(name).iter().any(|it| reaches(&it.value, name, &waits, deployments.len())) {
                let what = format!(
                    "stages.deployments.{name}.depends_on: the deployments wait for one another \
                     in a circle"
                );
                return Err((*place, what));
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

/// Whether `from` waits for `to`, over so many others at most.
fn reaches<'a>(
    from: &str,
    to: &str,
    waits: &impl Fn(&str) -> &'a [Spanned<String>],
    depth: usize,
) -> bool {
    from == to || depth > 0 && waits(from).iter().any(|it| reaches(&it.value, to, waits, depth - 1))
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
