//! A service's `manifest.yml`. It may contain the keys that this product uses, and no others.
//!
//! Copilot silently ignores unknown keys: with `dead_letter: {retries: 3}` there is no dead-letter
//! queue. Here they are mistakes, and so are values that AWS would reject later.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::{
    bare,
    mistake::Wrong,
    yaml::{Entries, ShortOr},
};

pub mod address;
pub mod container;
pub mod count;
pub mod dependencies;
pub mod fifo;
pub mod http;
pub mod messages;
pub mod network;
pub mod operation;
pub mod secret;
pub mod service_type;
pub mod sidecar;
pub mod variable;

mod environments;
mod overlay;

use self::{
    container::{Image, Platform, Storage},
    count::Count,
    http::Http,
    messages::{Publish, Subscribe, Subscription, Topic},
    network::Network,
    operation::{Logging, Observability, Rollout},
    overlay::Overlay,
    secret::Secret,
    service_type::ServiceType,
    sidecar::Sidecar,
    variable::Variable,
};

/// A manifest, or the overrides of one of its `environments`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manifest {
    /// The name of the service and of its directory.
    pub name: Option<Spanned<String>>,
    /// The type of the service.
    pub r#type: Option<Spanned<ServiceType>>,
    /// The image of its container.
    pub image: Option<Spanned<Image>>,
    /// The requests that the load balancer sends to it.
    pub http: Option<Spanned<Http>>,
    /// The topics it owns.
    pub publish: Option<Publish>,
    /// The topics it receives from.
    pub subscribe: Option<Spanned<Subscribe>>,
    /// Units of processor time: 1024 are one processor.
    #[serde(deserialize_with = "bare::spanned")]
    pub cpu: Option<Spanned<u32>>,
    /// MiB.
    #[serde(deserialize_with = "bare::spanned")]
    pub memory: Option<Spanned<u32>>,
    /// The operating system and processor of its image.
    pub platform: Option<Spanned<Platform>>,
    /// The number of tasks.
    pub count: Option<ShortOr<u32, Count>>,
    /// Whether a shell can be opened in a task.
    #[serde(deserialize_with = "bare::spanned")]
    pub exec: Option<Spanned<bool>>,
    /// Its file system.
    pub storage: Option<Storage>,
    /// Its variables, in addition to Copilot's own.
    pub variables: BTreeMap<String, Variable>,
    /// The network of its tasks.
    pub network: Option<Network>,
    /// The containers beside its own, by name.
    pub sidecars: BTreeMap<String, Spanned<Sidecar>>,
    /// The variables whose values are not in a file.
    pub secrets: BTreeMap<String, Spanned<Secret>>,
    /// Its logs.
    pub logging: Option<Logging>,
    /// How a new version replaces the old one.
    pub deployment: Option<Rollout>,
    /// Its traces.
    pub observability: Option<Observability>,
    /// The overrides for environments, by name.
    pub environments: Entries<Manifest>,
}

impl Manifest {
    /// The manifest with the overrides for `environment` applied.
    pub fn applied(&self, environment: &str) -> Self {
        let mut base = self.clone();
        base.environments = Entries::default();
        let mut applied = match self.environments.iter().find(|(name, _)| name.value == environment)
        {
            Some((_, over)) => base.overlaid(over.clone()),
            None => base,
        };
        applied.publish.iter_mut().for_each(Publish::name_fifo_topics);
        applied.subscribe.iter_mut().for_each(|it| it.value.name_fifo_topics());
        applied
    }

    /// The topics that it owns.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.publish.iter().flat_map(|publish| &publish.topics)
    }

    /// The subscriptions of its queue.
    pub fn subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        self.subscribe.iter().flat_map(|subscribe| subscribe.value.topics.iter().flatten())
    }

    /// Checks the keys against each other, after the overrides are applied.
    ///
    /// # Errors
    ///
    /// The first mistake.
    pub fn check(&self, service_type: &Spanned<ServiceType>) -> Result<(), Wrong> {
        let missing = |what: &str| Err((service_type.referenced, what.to_owned()));
        let Some(image) = &self.image else {
            return missing("image: it is missing");
        };
        Image::check(image, service_type.value)?;
        if self.platform.is_none() {
            return missing("platform: without it, Copilot builds for the machine that it runs on");
        }
        container::check_size(self.cpu.as_ref(), self.memory.as_ref())?;
        self.check_shell()?;
        self.http.as_ref().map_or(Ok(()), Http::check)?;
        self.network.as_ref().map_or(Ok(()), |it| it.check(service_type.value))?;
        sidecar::check(&self.sidecars, image, self.name.as_ref())?;
        self.publish.as_ref().map_or(Ok(()), Publish::check)?;
        self.subscribe.as_ref().map_or(Ok(()), Subscribe::check)?;
        match &self.count {
            Some(ShortOr::Long(count)) => {
                count.check(service_type.value, self.platform.as_ref().map(|it| it.value))
            }
            _ => Ok(()),
        }
    }

    /// The parts of Copilot's template that apply, by their names in the outline.
    pub fn parts(&self) -> BTreeSet<&'static str> {
        let image = self.image.as_ref().and_then(|image| image.value.healthcheck.as_ref());
        let queue = self.subscribe.as_ref().map(|subscribe| &subscribe.value.queue);
        let storage = self.storage.as_ref();
        let count = match &self.count {
            Some(ShortOr::Long(count)) => Some(count),
            _ => None,
        };
        let spot = count.is_some_and(Count::has_spot);
        let parts = [
            ("connect", self.network.as_ref().is_some_and(Network::has_connect)),
            ("container_dependencies", self.waits_for_sidecars()),
            ("private", self.network.as_ref().is_some_and(Network::is_private)),
            ("arm", self.platform.as_ref().is_some_and(|it| it.value == Platform::Arm)),
            ("dead_letter", queue.is_some_and(|queue| queue.dead_letter.is_some())),
            ("delay", queue.is_some_and(|queue| queue.delay.is_some())),
            ("ephemeral", storage.is_some_and(|storage| storage.ephemeral.is_some())),
            ("exec", self.exec.as_ref().is_some_and(|exec| exec.value)),
            (
                "fifo",
                queue.is_some_and(|it| it.fifo.as_ref().is_some_and(|fifo| fifo.value.is_on())),
            ),
            ("health_check", image.is_some()),
            ("on_demand", !spot),
            ("publish", self.publish.as_ref().is_some_and(|it| !it.topics.is_empty())),
            ("read_only", storage.is_some_and(|storage| storage.readonly_fs == Some(true))),
            ("retention", queue.is_some_and(|queue| queue.retention.is_some())),
            ("secrets", !self.secrets.is_empty()),
            ("spot", spot),
            ("timeout", queue.is_some_and(|queue| queue.timeout.is_some())),
            ("tracing", self.observability.is_some()),
        ];
        let parts = parts.into_iter().filter_map(|(part, holds)| holds.then_some(part));
        (parts.chain(count.into_iter().flat_map(Count::parts)))
            .chain(self.http.iter().flat_map(|http| http.value.parts()))
            .collect()
    }

    fn waits_for_sidecars(&self) -> bool {
        self.image.as_ref().is_some_and(|image| image.value.depends_on.is_some())
    }

    /// Opening a shell in a task writes to its file system.
    fn check_shell(&self) -> Result<(), Wrong> {
        let read_only = self.storage.as_ref().and_then(|storage| storage.readonly_fs);
        match (&self.exec, read_only) {
            (Some(exec), Some(true)) if exec.value => {
                Err((exec.referenced, "exec: storage.readonly_fs excludes it".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

impl Overlay for Manifest {
    fn overlaid(self, over: Self) -> Self {
        let mut variables = self.variables;
        for (name, value) in over.variables {
            // Null overrides nothing.
            if value.0.is_some() || !variables.contains_key(&name) {
                variables.insert(name, value);
            }
        }
        let mut sidecars = self.sidecars;
        for (name, over) in over.sidecars {
            let merged = sidecars.remove(&name).overlaid(Some(over));
            sidecars.extend(merged.map(|it| (name, it)));
        }
        let mut secrets = self.secrets;
        secrets.extend(over.secrets);
        Self {
            name: self.name,
            r#type: self.r#type,
            image: self.image.overlaid(over.image),
            http: self.http.overlaid(over.http),
            publish: over.publish.or(self.publish),
            subscribe: self.subscribe.overlaid(over.subscribe),
            cpu: over.cpu.or(self.cpu),
            memory: over.memory.or(self.memory),
            platform: over.platform.or(self.platform),
            count: self.count.overlaid(over.count),
            exec: over.exec.or(self.exec),
            storage: self.storage.overlaid(over.storage),
            variables,
            secrets,
            network: self.network.overlaid(over.network),
            sidecars,
            logging: self.logging.overlaid(over.logging),
            deployment: self.deployment.overlaid(over.deployment),
            observability: over.observability.or(self.observability),
            environments: self.environments,
        }
    }
}
