//! Makes what the Copilot files describe, at any AWS endpoint, and tells each service what
//! Copilot would tell it.
//!
//! Making it again changes nothing, except that queues and subscriptions take on new settings.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use aws_config::{Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use heck::ToShoutySnakeCase as _;
use tokio::task::JoinSet;

use deployment::copilot::{
    Service as Description, Workspace,
    manifest::Kind,
    resolve::{Known, Made, Place, Request},
    stack::topic_id,
};

mod request;

use request::Clients;

/// The environment that the laptop plays.
pub const ENVIRONMENT: &str = "test";
/// The variable that says where a service sends its spans.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Any credentials do for an endpoint on a laptop, but the SDK wants some.
const DUMMY_CREDENTIAL: &str = "local";

/// Everything that was made.
#[derive(Clone, Debug)]
pub struct Account {
    /// The application's name.
    pub application: String,
    /// The services, those that publish first.
    pub services: Vec<Service>,
}

/// What was made for a service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Exactly the variables that it finds in its container: those that Copilot injects, those of
    /// its manifest, and those by which an AWS SDK finds its endpoint, region and credentials.
    pub variables: BTreeMap<String, String>,
    /// A worker's queue.
    pub queue: Option<Queue>,
}

/// A worker's queue.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Where messages are received.
    pub url: String,
    /// Its name in policies.
    pub arn: String,
    /// Where messages go that no try could handle; `None` if the manifest has no `dead_letter`.
    pub dead_letter_url: Option<String>,
}

impl Account {
    /// What was made for the service `name`.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}

/// A place where AWS can be reached, and how.
#[derive(Clone, Debug)]
pub struct Target {
    /// The value of `AWS_ENDPOINT_URL`.
    pub endpoint_url: String,
    /// The region.
    pub region: String,
}

impl Target {
    /// The variables by which an AWS SDK finds it.
    ///
    /// Credentials are those of the environment, if it has some: MiniStack and moto take the
    /// access key for the account.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut variables: BTreeMap<String, String> = [
            ("AWS_ENDPOINT_URL", self.endpoint_url.as_str()),
            ("AWS_REGION", &self.region),
            ("AWS_DEFAULT_REGION", &self.region),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            variables.insert(name.to_owned(), from_env(name, DUMMY_CREDENTIAL));
        }
        variables
    }

    /// A configuration for this process's own clients.
    pub async fn config(&self) -> SdkConfig {
        let credentials = Credentials::new(
            from_env("AWS_ACCESS_KEY_ID", DUMMY_CREDENTIAL),
            from_env("AWS_SECRET_ACCESS_KEY", DUMMY_CREDENTIAL),
            None,
            None,
            "local",
        );
        let config = pubsub::aws::config().await;
        (config.into_builder())
            .endpoint_url(&self.endpoint_url)
            .region(Region::new(self.region.clone()))
            .credentials_provider(aws_sdk_sqs::config::SharedCredentialsProvider::new(credentials))
            .build()
    }
}

fn from_env(name: &str, default: &str) -> String {
    (std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| default.to_owned())
}

/// Makes what the files under `copilot` describe, at `target`.
///
/// # Errors
///
/// [`deployment::copilot::Mistake`] if a file is wrong; otherwise what the endpoint refused.
pub async fn provision(copilot: &Path, target: &Target) -> anyhow::Result<Account> {
    let workspace = Workspace::read(copilot, ENVIRONMENT)?;
    provision_workspace(&workspace, target).await
}

/// Makes what `workspace` describes, at `target`.
///
/// # Errors
///
/// What the endpoint refused.
pub async fn provision_workspace(
    workspace: &Workspace,
    target: &Target,
) -> anyhow::Result<Account> {
    let clients = Clients::new(&target.config().await);
    let mut known = Known::nothing(workspace);
    let mut pending = known.pending();
    // Each round makes all whose references are known, at once: a queue comes a round after its
    // dead-letter queue, a subscription after its topic and queue.
    while !pending.is_empty() {
        let (ready, waiting) = known.ready(pending)?;
        for (index, made) in make(&clients, ready.iter().map(|(_, request)| request)).await? {
            known.insert(&ready[index].0, made);
        }
        pending = waiting;
    }
    let services = (workspace.services.iter())
        .map(|service| told(workspace, service, &known, target))
        .collect::<anyhow::Result<_>>()?;
    Ok(Account { application: workspace.application.clone(), services })
}

/// Sends `requests` all at once. The answers come with the requests' positions.
async fn make<'a>(
    clients: &Clients,
    requests: impl Iterator<Item = &'a Request<'a>>,
) -> anyhow::Result<Vec<(usize, Made)>> {
    let mut sent = JoinSet::new();
    for (index, request) in requests.enumerate() {
        let answer = clients.send(request)?;
        sent.spawn(async move { anyhow::Ok((index, answer.await?)) });
    }
    let mut made = Vec::new();
    while let Some(answer) = sent.join_next().await {
        made.push(answer.context("a request panicked")??);
    }
    Ok(made)
}

fn told(
    workspace: &Workspace,
    service: &Description,
    known: &Known<'_>,
    target: &Target,
) -> anyhow::Result<Service> {
    let place = Place { service: service.name.clone(), addons: false };
    let queue = service.queue().and_then(|ids| {
        let place = Place { addons: ids.addons, ..place.clone() };
        let made = known.get(&place, ids.queue)?;
        Some(Queue {
            url: made.reference.clone(),
            arn: made.attributes["Arn"].clone(),
            dead_letter_url: (ids.dead_letters)
                .and_then(|letters| Some(known.get(&place, letters)?.reference.clone())),
        })
    });
    let mut variables = target.variables();
    let (application, environment) = (&workspace.application, &workspace.environment);
    let mut tell = |name: &str, value: String| variables.insert(name.to_owned(), value);
    tell("COPILOT_APPLICATION_NAME", application.clone());
    tell("COPILOT_ENVIRONMENT_NAME", environment.clone());
    tell("COPILOT_SERVICE_NAME", service.name.clone());
    let discovery = format!("{environment}.{application}.local");
    tell("COPILOT_SERVICE_DISCOVERY_ENDPOINT", discovery);
    if service.kind == Kind::Web {
        tell("COPILOT_LB_DNS", "localhost".to_owned());
    }
    let topics: BTreeMap<&str, &str> = (service.topics())
        .filter_map(|topic| Some((topic, known.get(&place, &topic_id(topic))?.reference.as_str())))
        .collect();
    if !topics.is_empty() {
        tell("COPILOT_SNS_TOPIC_ARNS", serde_json::to_string(&topics)?);
    }
    if let (Some(queue), Kind::Worker) = (&queue, service.kind) {
        tell("COPILOT_QUEUE_URI", queue.url.clone());
    }
    for (name, value) in known.outputs(service)? {
        tell(&name.to_shouty_snake_case(), value);
    }
    // The collector of spans is a sidecar of Copilot's. An account has none.
    let collector = service.manifest.observability.as_ref().map(|_| COLLECTOR);
    for (name, value) in &service.manifest.variables {
        if Some(name.as_str()) != collector {
            tell(name, value.0.clone());
        }
    }
    Ok(Service { name: service.name.clone(), kind: service.kind, variables, queue })
}
