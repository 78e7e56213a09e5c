//! All files of a workspace together.

use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{
    addons::Addons,
    environment::{self, Environments},
    manifest::messages::Subscription,
    names::{self, Names},
    service::ServiceFiles,
};
use crate::{
    files::directories,
    mistake::{Mistake, Wrong},
    yaml,
};

/// The files of a workspace, as they apply to one environment.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The name of the application.
    pub application: String,
    /// The name of the environment.
    pub environment: String,
    /// All environments.
    pub environments: Environments,
    /// The addons of the environments.
    pub addons: Addons,
    /// The services; those without subscriptions come first.
    pub services: Vec<ServiceFiles>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkspaceFile {
    application: Spanned<String>,
}

impl Workspace {
    /// Reads the files in `directory`, and checks them for all environments.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`] in them.
    pub fn read(directory: &Path, environment: &str) -> Result<Self, Mistake> {
        let file = directory.join(".workspace");
        let WorkspaceFile { application } = yaml::read(&file)?;
        names::check_name(&application).map_err(|wrong| Mistake::from_wrong(&file, wrong))?;
        let application = application.value;
        let environments = environment::read_all(directory, environment)?;
        let mut services = Vec::new();
        for service in directories(directory)? {
            if !names::RESERVED.contains(&service.as_str()) {
                let names = Names { application: &application, environment, service: &service };
                let directory = directory.join(&service);
                services.push(ServiceFiles::read(&directory, &names, &environments)?);
            }
        }
        services.sort_by_key(|service| service.manifest.subscribe.is_some());
        let addons = Addons::of_environment(&application, environment, directory)?;
        let environment = environment.to_owned();
        let workspace = Self { application, environment, environments, addons, services };
        workspace.check_topics()?;
        let mut wrong_patches = workspace.services.iter().filter_map(|it| it.wrong_patch.clone());
        wrong_patches.next().map_or(Ok(workspace.clone()), Err)
    }

    /// The names that the resources of `service` begin with.
    pub fn names<'a>(&'a self, service: &'a str) -> Names<'a> {
        Names { application: &self.application, environment: &self.environment, service }
    }

    /// Every subscription needs a service that owns its topic.
    fn check_topics(&self) -> Result<(), Mistake> {
        for service in &self.services {
            for subscription in service.manifest.subscriptions() {
                (self.check_topic(subscription))
                    .map_err(|wrong| Mistake::from_wrong(&service.file, wrong))?;
            }
        }
        Ok(())
    }

    fn check_topic(&self, Subscription { name, service, .. }: &Subscription) -> Result<(), Wrong> {
        let Some(owner) = self.services.iter().find(|it| it.name == service.value) else {
            let what = format!("subscribe.topics.service: there is no service {:?}", service.value);
            return Err((service.referenced, what));
        };
        if owner.manifest.topics().any(|topic| topic.name.value == name.value) {
            return Ok(());
        }
        let what = format!("subscribe.topics.name: {} has no topic {:?}", owner.name, name.value.0);
        Err((name.referenced, what))
    }
}
