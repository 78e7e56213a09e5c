//! A service's `manifest.yml`, with every key that this product uses and no other.
//!
//! Copilot drops what it does not know in silence: `dead_letter: {retries: 3}` means no
//! dead-letter queue. Here it is a mistake, and so are values that AWS would refuse later.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::yaml::{Entries, Scalar, ShortOr, Wrong, wrong};

pub mod container;
pub mod count;
pub mod http;
pub mod messages;
pub mod operation;

mod environments;
mod overlay;

use container::{Image, Platform, Storage};
use count::Count;
use http::Http;
use messages::{Publish, Subscribe, Subscription};
use operation::{Deployment, Logging, Observability};
use overlay::Overlay;

/// What a manifest says, or what one of its `environments` overrides.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manifest {
    /// The name of the service and of its directory.
    pub name: Option<Spanned<String>>,
    /// The kind of service.
    pub r#type: Option<Spanned<Kind>>,
    /// What its containers run.
    pub image: Option<Spanned<Image>>,
    /// How the load balancer reaches it.
    pub http: Option<Spanned<Http>>,
    /// The topics it owns.
    pub publish: Option<Publish>,
    /// The topics it receives from.
    pub subscribe: Option<Spanned<Subscribe>>,
    /// Processor units: 1024 are one processor.
    pub cpu: Option<Spanned<u32>>,
    /// MiB.
    pub memory: Option<Spanned<u32>>,
    /// The system and processor of its image.
    pub platform: Option<Spanned<Platform>>,
    /// How many tasks run.
    pub count: Option<ShortOr<u32, Count>>,
    /// Whether a shell may be opened in a task.
    pub exec: Option<Spanned<bool>>,
    /// Its file system.
    pub storage: Option<Storage>,
    /// Its variables, beside those that Copilot adds.
    pub variables: BTreeMap<String, Scalar>,
    /// Where its logs go.
    pub logging: Option<Logging>,
    /// How a new version replaces an old one.
    pub deployment: Option<Deployment>,
    /// What is traced.
    pub observability: Option<Observability>,
    /// What is different in an environment.
    pub environments: Entries<Manifest>,
}

/// The kinds of service that this product is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Kind {
    /// Behind a load balancer.
    #[serde(rename = "Load Balanced Web Service")]
    Web,
    /// Behind a queue.
    #[serde(rename = "Worker Service")]
    Worker,
}

/// A whole number between `MIN` and `MAX`: AWS refuses others when a stack is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within<const MIN: u32, const MAX: u32>(pub u32);

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        if (MIN..=MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(wrong(format!("is {number}, but AWS takes {MIN} to {MAX}")))
        }
    }
}

impl Manifest {
    /// What holds in `environment`: its overrides laid over the rest.
    pub fn applied(&self, environment: &str) -> Self {
        let mut base = self.clone();
        base.environments = Entries::default();
        match self.environments.iter().find(|(name, _)| name.value == environment) {
            Some((_, over)) => base.overlaid(over.clone()),
            None => base,
        }
    }

    /// The topics that lead to its queue.
    pub fn subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        self.subscribe.iter().flat_map(|subscribe| subscribe.value.topics.iter().flatten())
    }

    /// What is wrong between two of its keys, once an environment's overrides are in it.
    pub(super) fn check(&self, kind: &Spanned<Kind>) -> Result<(), Wrong> {
        let missing = |what: &str| Err((kind.referenced, what.to_owned()));
        let Some(image) = &self.image else {
            return missing("image: it is missing");
        };
        Image::check(image, kind.value)?;
        if self.platform.is_none() {
            return missing("platform: without it, Copilot builds for the machine it runs on");
        }
        container::check_size(self.cpu.as_ref(), self.memory.as_ref())?;
        self.check_shell()?;
        self.http.as_ref().map_or(Ok(()), Http::check)?;
        self.publish.as_ref().map_or(Ok(()), Publish::check)?;
        self.subscribe.as_ref().map_or(Ok(()), Subscribe::check)?;
        match &self.count {
            Some(ShortOr::Long(count)) => {
                count.check(kind.value, self.platform.as_ref().map(|it| it.value))
            }
            _ => Ok(()),
        }
    }

    /// What Copilot's template depends on: names that the outline uses.
    pub(super) fn parts(&self) -> BTreeSet<&'static str> {
        let image = self.image.as_ref().and_then(|image| image.value.healthcheck.as_ref());
        let queue = self.subscribe.as_ref().map(|subscribe| &subscribe.value.queue);
        let storage = self.storage.as_ref();
        let count = match &self.count {
            Some(ShortOr::Long(count)) => Some(count),
            _ => None,
        };
        let spot = count.is_some_and(Count::has_spot);
        let parts = [
            ("arm", self.platform.as_ref().is_some_and(|it| it.value == Platform::Arm)),
            ("dead_letter", queue.is_some_and(|queue| queue.dead_letter.is_some())),
            ("delay", queue.is_some_and(|queue| queue.delay.is_some())),
            ("ephemeral", storage.is_some_and(|storage| storage.ephemeral.is_some())),
            ("exec", self.exec.as_ref().is_some_and(|exec| exec.value)),
            ("health_check", image.is_some()),
            ("on_demand", !spot),
            ("publish", self.publish.as_ref().is_some_and(|it| !it.topics.is_empty())),
            ("read_only", storage.is_some_and(|storage| storage.readonly_fs == Some(true))),
            ("retention", queue.is_some_and(|queue| queue.retention.is_some())),
            ("spot", spot),
            ("timeout", queue.is_some_and(|queue| queue.timeout.is_some())),
            ("tracing", self.observability.is_some()),
        ];
        let parts = parts.into_iter().filter_map(|(part, holds)| holds.then_some(part));
        (parts.chain(count.into_iter().flat_map(Count::parts)))
            .chain(self.http.iter().flat_map(|http| http.value.parts()))
            .collect()
    }

    /// A shell that is opened in a task writes to its file system.
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
        variables.extend(over.variables);
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
            logging: self.logging.overlaid(over.logging),
            deployment: self.deployment.overlaid(over.deployment),
            observability: over.observability.or(self.observability),
            environments: self.environments,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Web => "Load Balanced Web Service",
            Self::Worker => "Worker Service",
        })
    }
}
