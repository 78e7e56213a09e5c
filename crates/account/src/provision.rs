//! Creates the resources of a deployment at any AWS endpoint, and computes the environment
//! variables of each service.
//!
//! Doing it again changes the queues and subscriptions to what the files say now. It deletes none:
//! a queue may hold messages.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::Context as _;
use aws_config::{Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use deployment::{
    Deployment,
    cloudformation::{
        resolve::{self, Ready, known::Known, made::Made, request::Request},
        stack::ResourceId,
    },
    description::{Kind, Service as Description, ServiceQueue, Variable},
};
use pubsub::env;
use tokio::task::JoinSet;

mod request;

use request::Clients;

use crate::{
    iam::{Judge, Role},
    wiretap::WireTap,
};

/// The environment that a local account is made for, unless another is chosen.
pub const ENVIRONMENT: &str = "test";
/// The variable with the URL to which a service sends its spans.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// A local endpoint checks no signature, but the SDK requires something to sign with.
const DUMMY_CREDENTIAL: &str = "local";
const ACCESS_KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";

/// An account with the resources of a deployment.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name of the application.
    pub application: String,
    /// The services; those without subscriptions come first.
    pub services: Vec<Service>,
    /// The ARNs of the queues for what a subscribed queue refuses, by the ARNs of the topic and
    /// that queue.
    pub undelivered: BTreeMap<(String, String), String>,
}

/// A service, and the resources that were created for it.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The name of its application.
    pub application: String,
    /// Its kind.
    pub kind: Kind,
    /// The complete environment of its process: the variables of its deployment, and those by
    /// which an AWS SDK finds the endpoint, the region and credentials.
    pub variables: BTreeMap<String, String>,
    /// The variables whose values are secret, and not among those above.
    pub secrets: BTreeSet<String>,
    /// The ARNs of the topics that it publishes to, by the names that it knows them by.
    pub topics: BTreeMap<String, String>,
    /// The queue that it receives from.
    pub queue: Option<Queue>,
    /// The path of its health check.
    pub health_path: String,
}

/// The queue that a service receives from.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its URL.
    pub url: String,
    /// Its ARN.
    pub arn: String,
    /// The URL of its dead-letter queue, if it has one.
    pub dead_letter_url: Option<String>,
}

impl Account {
    /// The service called `name`.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}

impl Service {
    /// The ARN of the topic that the service knows as `name`.
    ///
    /// # Errors
    ///
    /// If it does not publish to such a topic.
    pub fn topic_arn(&self, name: &str) -> anyhow::Result<&str> {
        let arn = self.topics.get(name).map(String::as_str);
        arn.with_context(|| format!("{} has no topic {name}", self.name))
    }

    /// The value of the environment variable `name`, such as the name of a table.
    ///
    /// # Errors
    ///
    /// If it has no such variable.
    pub fn variable(&self, name: &str) -> anyhow::Result<&str> {
        let value = self.variables.get(name).map(String::as_str);
        value.with_context(|| format!("{} has no variable {name}", self.name))
    }
}

impl Queue {
    fn known(queue: &ServiceQueue, known: &Known<'_>) -> Option<Self> {
        let made = known.get(&queue.queue.id)?;
        let dead_letters = queue.dead_letters.as_ref().and_then(|it| known.get(&it.id));
        Some(Self {
            url: made.reference.clone(),
            arn: made.attributes.get("Arn")?.clone(),
            dead_letter_url: dead_letters.map(|made| made.reference.clone()),
        })
    }
}

/// An AWS endpoint.
#[derive(Clone, Debug)]
pub struct Target {
    /// The value of `AWS_ENDPOINT_URL`.
    pub endpoint_url: String,
    /// The region.
    pub region: String,
    /// Who judges the calls there, if it is an embedded one.
    pub judge: Option<Judge>,
    /// Where to listen to what is published there, if it is an embedded one.
    pub wiretap: Option<WireTap>,
}

impl Target {
    /// An endpoint that runs elsewhere. By what it judges, if it does, is not known.
    pub fn elsewhere(endpoint_url: String, region: String) -> Self {
        Self { endpoint_url, region, judge: None, wiretap: None }
    }

    /// The variables by which an AWS SDK finds it.
    pub fn variables(&self) -> BTreeMap<String, String> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint_url.as_str()),
            ("AWS_REGION", &self.region),
            ("AWS_DEFAULT_REGION", &self.region),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The variables by which an AWS SDK signs as the administrator.
    ///
    /// They are the credentials in this process's environment, if there are any: MiniStack and moto
    /// use the access key as the account.
    pub fn administrator() -> BTreeMap<String, String> {
        let names = [ACCESS_KEY, SECRET_KEY].into_iter();
        names
            .map(|name| {
                (
                    name.to_owned(),
                    env::optional(name).unwrap_or_else(|| DUMMY_CREDENTIAL.to_owned()),
                )
            })
            .collect()
    }

    /// The variables by which an AWS SDK signs as a service with the role called `role`.
    fn credentials(&self, role: &str) -> BTreeMap<String, String> {
        if self.judge.is_none() {
            return Self::administrator();
        }
        [(ACCESS_KEY, role), (SECRET_KEY, DUMMY_CREDENTIAL)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// A configuration for this process's own clients, which are the administrator's.
    pub async fn config(&self) -> SdkConfig {
        self.signed(&Self::administrator()).await
    }

    /// A configuration for clients that sign as `service`, so that they may do what it may.
    pub async fn config_of(&self, service: &Service) -> SdkConfig {
        self.signed(&service.variables).await
    }

    async fn signed(&self, variables: &BTreeMap<String, String>) -> SdkConfig {
        let [key, secret] =
            [ACCESS_KEY, SECRET_KEY].map(|it| variables.get(it).cloned().unwrap_or_default());
        let credentials = Credentials::new(key, secret, None, None, "local");
        let config = pubsub::aws::config().await;
        (config.into_builder())
            .endpoint_url(&self.endpoint_url)
            .region(Region::new(self.region.clone()))
            .credentials_provider(aws_sdk_sqs::config::SharedCredentialsProvider::new(credentials))
            .build()
    }
}

/// Reads the files of a deployment in `directory`, and creates their resources at `target`.
///
/// # Errors
///
/// [`deployment::Mistake`] if a file is wrong; otherwise the error of the endpoint.
pub async fn provision(directory: &Path, target: &Target) -> anyhow::Result<Account> {
    provision_deployment(&deployment::read(directory, ENVIRONMENT)?, target).await
}

/// Creates the resources of `deployment` at `target`.
///
/// # Errors
///
/// The error of the endpoint.
pub async fn provision_deployment(
    deployment: &Deployment,
    target: &Target,
) -> anyhow::Result<Account> {
    let clients = Clients::new(&target.config().await);
    let mut known = Known::nothing(&deployment.stacks);
    let (mut policies, mut refused) = (BTreeMap::new(), BTreeMap::new());
    let mut pending = resolve::pending(&deployment.stacks);
    // Each round creates all resources whose references are known, at once: a queue one round
    // after its dead-letter queue, a subscription after its topic and queue.
    while !pending.is_empty() {
        let (ready, waiting) = resolve::ready(&known, pending)?;
        for Ready { id, request } in &ready {
            match request {
                Request::Policy(document) => {
                    policies.insert(id.clone(), document.clone());
                }
                Request::Subscription { topic, queue, undelivered: Some(undelivered), .. } => {
                    refused.insert((topic.clone(), queue.clone()), undelivered.clone());
                }
                _ => {}
            }
        }
        for (index, made) in send_all(&clients, &ready).await? {
            known.insert(ready[index].id.clone(), made);
        }
        pending = waiting;
    }
    if let Some(judge) = &target.judge {
        judge.set_roles(deployment.services.iter().map(|it| role(it, &policies)).collect())?;
    }
    let services = (deployment.services.iter())
        .map(|service| provisioned(&deployment.application, service, &known, target))
        .collect::<anyhow::Result<_>>()?;
    let application = deployment.application.clone();
    Ok(Account { application, services, undelivered: refused })
}

/// The role of a service. Its name is the access key of the service too.
fn role(service: &Description, policies: &BTreeMap<ResourceId, serde_json::Value>) -> Role {
    let attached = service.role.policies.iter();
    let attached = attached.filter_map(|id| Some((id.id.clone(), policies.get(id)?.clone())));
    Role { name: service.role.name.clone(), policies: attached.collect() }
}

/// Sends all requests at once. Each answer comes with the position of its request.
async fn send_all(clients: &Clients, ready: &[Ready<'_>]) -> anyhow::Result<Vec<(usize, Made)>> {
    let mut sent = JoinSet::new();
    for (index, it) in ready.iter().enumerate() {
        let answer = clients.send(&it.request)?;
        sent.spawn(async move { anyhow::Ok((index, answer.await?)) });
    }
    let mut made = Vec::new();
    while let Some(answer) = sent.join_next().await {
        made.push(answer.context("a request panicked")??);
    }
    Ok(made)
}

fn provisioned(
    application: &str,
    description: &Description,
    known: &Known<'_>,
    target: &Target,
) -> anyhow::Result<Service> {
    let name = description.name.clone();
    let mut variables = target.variables();
    variables.extend(target.credentials(&description.role.name));
    for (variable, Variable { stack, value }) in &description.variables {
        if description.has_span_collector && variable == COLLECTOR {
            // There is no collector here to send spans to.
            continue;
        }
        let value = known.evaluate(stack, value);
        let value = value.with_context(|| format!("{variable} of {name} has no value"))?;
        variables.insert(variable.clone(), value);
    }
    let topics = description.topics.iter().map(|(topic, id)| {
        let made = known.get(id).with_context(|| format!("the topic {topic} does not exist"))?;
        Ok((topic.clone(), made.reference.clone()))
    });
    Ok(Service {
        application: application.to_owned(),
        kind: description.kind,
        topics: topics.collect::<anyhow::Result<_>>()?,
        queue: description.queue.as_ref().and_then(|queue| Queue::known(queue, known)),
        health_path: description.health_path.clone(),
        secrets: description.secrets.clone(),
        variables,
        name,
    })
}
