//! The files under `copilot/`, read strictly: what is tried on a laptop is what is deployed.
//!
//! [`Workspace::read`] reads them all and finds what is wrong in one file or between two. Every
//! [`Mistake`] is one sentence with file, line and column.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub mod manifest;

pub mod stack;

pub mod template;

pub mod expression;
pub mod filter_policy;
pub mod resolve;

#[cfg(test)]
mod tests;

mod duration;
mod patches;
pub mod yaml;

use manifest::{Kind, Manifest};
use patches::Patch;
use stack::Stack;
pub use yaml::Mistake;

/// All that is under `copilot/`, for one environment.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The application's name.
    pub application: String,
    /// The environment's name.
    pub environment: String,
    /// The services, those that publish first.
    pub services: Vec<Service>,
}

/// A service, as its files describe it.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// What its manifest says, with the environment's overrides in it.
    pub manifest: Manifest,
    /// Its manifest's file.
    pub file: PathBuf,
    /// What Copilot makes for it.
    pub own: Stack,
    /// What its addons make.
    pub addons: Stack,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkspaceFile {
    application: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Environment {
    name: serde_saphyr::Spanned<String>,
    #[serde(rename = "type")]
    _type: EnvironmentType,
    #[serde(default, rename = "observability")]
    _observability: Option<EnvironmentObservability>,
}

#[derive(Deserialize)]
enum EnvironmentType {
    Environment,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvironmentObservability {
    #[serde(rename = "container_insights")]
    _container_insights: bool,
}

impl Workspace {
    /// Reads the directory `copilot` as `environment` has it.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`] in its files.
    pub fn read(copilot: &Path, environment: &str) -> Result<Self, Mistake> {
        let workspace: WorkspaceFile = yaml::read(&copilot.join(".workspace"))?;
        read_environment(copilot, environment)?;
        let mut services = Vec::new();
        for name in directories(copilot)? {
            if name != "environments" && name != "pipelines" {
                let directory = copilot.join(&name);
                let names = stack::Names {
                    application: &workspace.application,
                    environment,
                    service: &name,
                };
                services.push(Service::read(&directory, &names)?);
            }
        }
        services.sort_by_key(|service| service.manifest.subscribe.is_some());
        let workspace = Self {
            application: workspace.application,
            environment: environment.to_owned(),
            services,
        };
        workspace.check_topics()?;
        resolve::check(&workspace)?;
        Ok(workspace)
    }

    /// A subscription to a topic that nobody publishes would wait for ever.
    fn check_topics(&self) -> Result<(), Mistake> {
        let published: BTreeSet<(&str, &str)> = (self.services.iter())
            .flat_map(|service| service.topics().map(|topic| (service.name.as_str(), topic)))
            .collect();
        for service in &self.services {
            let subscriptions = service.manifest.subscribe.iter();
            for subscription in subscriptions.flat_map(|it| it.value.topics.iter().flatten()) {
                let (owner, topic) = (&subscription.service, &subscription.name);
                if published.contains(&(owner.value.as_str(), topic.value.0.as_str())) {
                    continue;
                }
                let what = if self.services.iter().any(|it| it.name == owner.value) {
                    let (owner, topic) = (&owner.value, &topic.value.0);
                    (
                        subscription.name.referenced,
                        format!("subscribe.topics.name: {owner} publishes no topic {topic:?}"),
                    )
                } else {
                    (
                        owner.referenced,
                        format!("subscribe.topics.service: there is no service {:?}", owner.value),
                    )
                };
                return Err(Mistake::at(&service.file, what.0, what.1));
            }
        }
        Ok(())
    }
}

impl Service {
    fn read(directory: &Path, names: &stack::Names<'_>) -> Result<Self, Mistake> {
        let file = directory.join("manifest.yml");
        let manifest: Manifest = yaml::read(&file)?;
        let kind = check_header(&file, &manifest, names.service)?;
        let manifest = manifest.applied(names.environment);
        read_patches(directory)?;
        Ok(Self {
            name: names.service.to_owned(),
            kind,
            own: stack::of_manifest(names, kind, &manifest, &file),
            addons: stack::of_addons(names, directory)?,
            manifest,
            file,
        })
    }

    /// The names of the topics that it owns.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        (self.manifest.publish.iter())
            .flat_map(|publish| &publish.topics)
            .map(|topic| topic.name.value.0.as_str())
    }
}

/// What Copilot says of name, type, and keys that belong to the other type.
fn check_header(file: &Path, manifest: &Manifest, directory: &str) -> Result<Kind, Mistake> {
    let Some(name) = &manifest.name else {
        return Err(Mistake::of(file, "name: it is missing"));
    };
    if name.value != directory {
        let what = format!("name: it is {:?}, but its directory {directory:?}", name.value);
        return Err(Mistake::at(file, name.referenced, what));
    }
    let Some(kind) = &manifest.r#type else {
        return Err(Mistake::of(file, "type: it is missing"));
    };
    for over in std::iter::once(manifest).chain(manifest.environments.values()) {
        check_kind(file, kind.value, over)?;
    }
    for (environment, over) in &manifest.environments {
        let place = [
            over.name.as_ref().map(|it| it.referenced),
            over.r#type.as_ref().map(|it| it.referenced),
        ];
        if let Some(place) = place.into_iter().flatten().next() {
            let what = format!("environments.{environment}: name and type cannot be overridden");
            return Err(Mistake::at(file, place, what));
        }
    }
    if kind.value == Kind::Web && manifest.http.is_none() {
        return Err(Mistake::at(
            file,
            kind.referenced,
            "http: a Load Balanced Web Service needs it",
        ));
    }
    Ok(kind.value)
}

fn check_kind(file: &Path, kind: Kind, manifest: &Manifest) -> Result<(), Mistake> {
    match (kind, &manifest.http, &manifest.subscribe) {
        (Kind::Web, _, Some(subscribe)) => Err(Mistake::at(
            file,
            subscribe.referenced,
            "subscribe: Copilot ignores it in a Load Balanced Web Service",
        )),
        (Kind::Worker, Some(http), _) => {
            Err(Mistake::at(file, http.referenced, "http: Copilot ignores it in a Worker Service"))
        }
        _ => Ok(()),
    }
}

fn read_environment(copilot: &Path, name: &str) -> Result<(), Mistake> {
    let file = copilot.join("environments").join(name).join("manifest.yml");
    if !file.exists() {
        let what = format!("there is no environment {name:?}");
        return Err(Mistake::of(&file, what));
    }
    let environment: Environment = yaml::read(&file)?;
    if environment.name.value == name {
        return Ok(());
    }
    let what = format!("name: it is {:?}, but its directory {name:?}", environment.name.value);
    Err(Mistake::at(&file, environment.name.referenced, what))
}

fn read_patches(directory: &Path) -> Result<(), Mistake> {
    let file = directory.join("overrides/cfn.patches.yml");
    if file.exists() {
        yaml::read::<Vec<Patch>>(&file)?;
    }
    Ok(())
}

/// The directories in `directory`, sorted.
fn directories(directory: &Path) -> Result<BTreeSet<String>, Mistake> {
    entries(directory).map(|entries| {
        (entries.into_iter()).filter(|(_, path)| path.is_dir()).map(|(name, _)| name).collect()
    })
}

/// What is in `directory`, by name.
fn entries(directory: &Path) -> Result<BTreeMap<String, PathBuf>, Mistake> {
    let unreadable = |error| Mistake::of(directory, format!("cannot be read: {error}"));
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        found.insert(entry.file_name().to_string_lossy().into_owned(), entry.path());
    }
    Ok(found)
}
