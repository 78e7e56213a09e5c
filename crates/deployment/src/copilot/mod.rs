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
use serde_saphyr::Spanned;

pub mod service;

pub mod manifest;

pub mod stack;

pub mod template;

pub mod expression;
pub mod filter_policy;
pub mod resolve;

#[cfg(test)]
mod tests;

mod addons;
mod duration;
mod environment;
mod interpolation;
mod names;
mod outline;
mod patches;
mod pipeline;
mod references;
pub mod yaml;

pub use service::Service;
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkspaceFile {
    application: Spanned<String>,
}

impl Workspace {
    /// Reads the directory `copilot` as `environment` has it, and checks it for all environments.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`] in its files.
    pub fn read(copilot: &Path, environment: &str) -> Result<Self, Mistake> {
        let file = copilot.join(".workspace");
        let WorkspaceFile { application } = yaml::read(&file)?;
        names::check_name(&application).map_err(|wrong| Mistake::from_wrong(&file, wrong))?;
        let application = application.value;
        let environments = environment::read_all(copilot, environment)?;
        let mut services = Vec::new();
        for service in directories(copilot)? {
            if !names::RESERVED.contains(&service.as_str()) {
                let names =
                    stack::Names { application: &application, environment, service: &service };
                services.push(Service::read(&copilot.join(&service), &names, &environments)?);
            }
        }
        services.sort_by_key(|service| service.manifest.subscribe.is_some());
        let workspace = Self { application, environment: environment.to_owned(), services };
        workspace.check_topics()?;
        resolve::check(&workspace)?;
        pipeline::read_all(copilot, &environments, &workspace.services)?;
        Ok(workspace)
    }

    /// A subscription to a topic that nobody publishes would wait for ever.
    fn check_topics(&self) -> Result<(), Mistake> {
        let published: BTreeSet<(&str, &str)> = (self.services.iter())
            .flat_map(|service| service.topics().map(|topic| (service.name.as_str(), topic)))
            .collect();
        for service in &self.services {
            for subscription in service.manifest.subscriptions() {
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

/// The directories in `directory`, sorted.
fn directories(directory: &Path) -> Result<BTreeSet<String>, Mistake> {
    entries(directory).map(|entries| {
        (entries.into_iter()).filter(|(_, path)| path.is_dir()).map(|(name, _)| name).collect()
    })
}

/// What is in `directory`, by name, without what an editor or a system hides there.
fn entries(directory: &Path) -> Result<BTreeMap<String, PathBuf>, Mistake> {
    let unreadable = |error| Mistake::of(directory, format!("cannot be read: {error}"));
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.insert(name, entry.path());
        }
    }
    Ok(found)
}
