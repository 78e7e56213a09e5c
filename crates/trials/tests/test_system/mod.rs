//! The whole system for one test: its own AWS account, the real binaries, free ports.
#![expect(dead_code, reason = "each suite uses a part of it")]

use std::{collections::BTreeMap, net::Ipv4Addr, path::PathBuf, time::Duration};

use account::{
    iam::{Asked, Judge},
    provision::{ENVIRONMENT, Queue, Target},
};
use anyhow::{Context as _, ensure};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use deployment::description::Kind;
use local::{
    build,
    log::Log,
    secrets::Secrets,
    system::{Settings, System},
};
use reqwest::{Client, Response, header, redirect::Policy};
use tokio::time::{sleep, timeout};

pub mod contract;

pub mod webhooks;

use contract::Contract;

/// Longer than anything takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// Of the habits of AWS.
pub const SEED: u64 = 1;
/// Short polls, so that stopping is quick; and the log lines that tests wait for.
const VARIABLES: [(&str, &str); 3] =
    [("RECEIVE_WAIT_SECONDS", "1"), ("RUST_LOG", "info,promotion=debug"), ("LOG_FORMAT", "text")];
pub const LOOK_EVERY: Duration = Duration::from_millis(20);

pub type Item = std::collections::HashMap<String, AttributeValue>;

/// A running system, and an HTTP client that does not follow redirects.
pub struct TestSystem {
    pub system: System,
    pub log: Log,
    pub http: Client,
    pub aws: SdkConfig,
    pub contract: Contract,
}

impl TestSystem {
    /// Starts a system, and waits until it is healthy.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts a system whose services also get `variables`.
    pub async fn start_with(variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_from(files(), variables).await
    }

    /// Starts the system that the files in `files` describe.
    pub async fn start_from(files: PathBuf, variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_at(None, files, variables).await
    }

    /// Starts a system whose services are the executables in `binaries`.
    pub async fn start_binaries(
        binaries: PathBuf,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        Self::start_all(binaries, None, files(), variables).await
    }

    /// Starts a system at an AWS endpoint that runs already, or else at one of its own.
    pub async fn start_at(
        endpoint: Option<Target>,
        files: PathBuf,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        Self::start_all(build::binaries().await?, endpoint, files, variables).await
    }

    async fn start_all(
        binaries: PathBuf,
        endpoint: Option<Target>,
        files: PathBuf,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let (log, lines) = Log::new();
        let settings = Settings {
            files,
            binaries,
            environment: ENVIRONMENT.to_owned(),
            endpoint,
            aws_port: 0,
            like_aws: Some(SEED),
            port: 0,
            host: Ipv4Addr::LOCALHOST.into(),
            without: Vec::new(),
            variables: VARIABLES
                .iter()
                .chain(variables)
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            secrets: Secrets::of_webhooks(webhooks::SOURCES.to_owned()),
            changing_weather: false,
        };
        let system = System::start(settings, lines).await?;
        let contract = Contract::of(&system.target, &system.account);
        system.healthy().await?;
        let aws = system.target.config().await;
        let http = Client::builder().redirect(Policy::none()).build()?;
        Ok(Self { system, log, http, aws, contract })
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.system.url)
    }

    /// Opens the form, and returns the order id in it.
    pub async fn open_form(&self) -> anyhow::Result<String> {
        let page = self.http.get(self.url("/")).send().await?.text().await?;
        Ok(field(&page, "id")?.to_owned())
    }

    pub async fn post_form(
        &self,
        id: &str,
        customer: &str,
        total: &str,
    ) -> anyhow::Result<Response> {
        let fields = [("id", id), ("customer", customer), ("total", total)];
        Ok(self.http.post(self.url("/")).form(&fields).send().await?)
    }

    /// Places an order with the form, and returns its id.
    pub async fn order(&self, customer: &str, total: &str) -> anyhow::Result<String> {
        let id = self.open_form().await?;
        let answer = self.post_form(&id, customer, total).await?;
        ensure!(answer.status() == 303, "an order of {total} was answered {}", answer.status());
        let page = &answer.headers()[header::LOCATION];
        ensure!(page == &*format!("/orders/{id}"), "the order {id} was redirected to {page:?}");
        Ok(id)
    }

    /// The order as JSON.
    pub async fn see(&self, id: &str) -> anyhow::Result<serde_json::Value> {
        let answer = self.http.get(self.url(&format!("/orders/{id}"))).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Waits until `wanted` accepts the order, and returns it.
    pub async fn see_until(
        &self,
        id: &str,
        wanted: impl Fn(&serde_json::Value) -> bool,
    ) -> anyhow::Result<serde_json::Value> {
        let seen = timeout(TIMEOUT, async {
            loop {
                let order = self.see(id).await?;
                if wanted(&order) {
                    return anyhow::Ok(order);
                }
                sleep(LOOK_EVERY).await;
            }
        });
        match seen.await {
            Ok(order) => order,
            Err(_) => {
                let (order, refused) = (self.see(id).await?, self.refused());
                anyhow::bail!("the order is still {order}; calls that were refused: {refused:#?}")
            }
        }
    }

    /// Waits until the order is on the first page of the list. Its index is up to a second behind.
    pub async fn until_listed(&self, id: &str) -> anyhow::Result<()> {
        let listed = async {
            while !self.http.get(self.url("/orders")).send().await?.text().await?.contains(id) {
                sleep(LOOK_EVERY).await;
            }
            anyhow::Ok(())
        };
        timeout(TIMEOUT, listed).await.with_context(|| format!("{id} is not listed"))?
    }

    /// The calls of services that no policy allows.
    pub fn refused(&self) -> Vec<String> {
        let refused = self.system.target.judge.iter().flat_map(Judge::refused);
        let say = |Asked { action, resource }: Asked| format!("{action} on {resource}");
        refused.map(|it| format!("{}: {}", it.caller, say(it.asked))).collect()
    }

    /// Stops a service with SIGTERM, and waits until it has exited.
    pub async fn stop(&mut self, service: &str) -> anyhow::Result<()> {
        let process = self.system.process(service)?;
        process.terminate();
        let status = process.wait().await?;
        ensure!(status.success(), "{service} exited with {status}");
        Ok(())
    }

    /// Stops every worker except `service`, so that no other worker reports.
    pub async fn stop_workers_except(&mut self, service: &str) -> anyhow::Result<()> {
        let services = self.system.account.services.iter();
        let workers = services.filter(|it| it.kind == Kind::Worker && it.name != service);
        let names: Vec<_> = workers.map(|worker| worker.name.clone()).collect();
        for name in names {
            self.stop(&name).await?;
        }
        Ok(())
    }

    /// Waits until `service` logs a line that contains all of `fragments`, and returns the line.
    pub async fn logged(&self, service: &str, fragments: &[&str]) -> anyhow::Result<String> {
        let has_all = |line: &str| fragments.iter().all(|fragment| line.contains(fragment));
        self.log.wait_for(service, TIMEOUT, has_all).await
    }

    /// The lines with `fragment` that `service` has logged so far.
    pub fn lines(&self, service: &str, fragment: &str) -> Vec<String> {
        let lines = self.log.of(service).into_iter();
        lines.filter(|line| line.contains(fragment)).collect()
    }

    pub fn queue(&self, service: &str) -> anyhow::Result<Queue> {
        let service = self.system.account.service(service).context("no such service")?;
        service.queue.clone().context("no queue")
    }

    /// Puts a message into a worker's queue, bypassing the topic.
    pub async fn send_to_queue(&self, service: &str, body: &str) -> anyhow::Result<()> {
        self.send(self.queue(service)?.url, body).await
    }

    /// Puts a report into the publisher's status queue, bypassing the topics.
    pub async fn report(&self, report: &serde_json::Value) -> anyhow::Result<()> {
        self.send(self.variable("publisher", "STATUS_QUEUE_URL")?, &report.to_string()).await
    }

    /// Waits until the status queue is empty and `dead` reports are dead letters.
    pub async fn status_is_handled(&self, dead: usize) -> anyhow::Result<()> {
        let url = self.variable("publisher", "STATUS_QUEUE_URL")?;
        let letters = self.queue("publisher")?.dead_letter_url.context("no dead-letter queue")?;
        let handled = async {
            while self.depth(&url).await? != (0, 0) || self.depth(&letters).await?.0 != dead {
                sleep(LOOK_EVERY).await;
            }
            anyhow::Ok(())
        };
        match timeout(TIMEOUT, handled).await {
            Ok(handled) => handled,
            Err(_) => anyhow::bail!(
                "the status queue has {:?} messages, visible and in flight, and {:?} dead letters \
                 in place of {dead}",
                self.depth(&url).await?,
                self.depth(&letters).await?,
            ),
        }
    }

    /// An environment variable of a service.
    pub fn variable(&self, service: &str, name: &str) -> anyhow::Result<String> {
        let service = self.system.account.service(service).context("no such service")?;
        service.variables.get(name).cloned().with_context(|| format!("no {name}"))
    }

    /// The environment variables that a service gets when it is started again.
    pub fn variables(&mut self, name: &str) -> anyhow::Result<&mut BTreeMap<String, String>> {
        let mut services = self.system.account.services.iter_mut();
        let service = services.find(|it| it.name == name).context("no such service")?;
        Ok(&mut service.variables)
    }

    /// Puts a message into a worker's dead-letter queue, as if every attempt had failed.
    pub async fn send_to_dead_letters(&self, service: &str, body: &str) -> anyhow::Result<()> {
        let url = self.queue(service)?.dead_letter_url;
        self.send(url.context("no dead-letter queue")?, body).await
    }

    async fn send(&self, url: String, body: &str) -> anyhow::Result<()> {
        let sqs = aws_sdk_sqs::Client::new(&self.aws);
        sqs.send_message().queue_url(url).message_body(body).send().await?;
        Ok(())
    }

    /// Waits until `count` messages are visible in the dead-letter queue of `service`.
    pub async fn dead_letters(&self, service: &str, count: usize) -> anyhow::Result<()> {
        let queue = self.queue(service)?;
        let url = queue.dead_letter_url.context("no dead-letter queue")?;
        let settled = async {
            while self.depth(&url).await? != (count, 0) {
                sleep(LOOK_EVERY).await;
            }
            anyhow::Ok(())
        };
        let deadline = timeout(TIMEOUT, settled).await;
        deadline.with_context(|| format!("{service} does not have {count} dead letters"))?
    }

    /// The number of visible messages in a queue, and of those in flight.
    pub async fn depth(&self, url: &str) -> anyhow::Result<(usize, usize)> {
        let sqs = aws_sdk_sqs::Client::new(&self.aws);
        let attributes = sqs
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::All)
            .send()
            .await?
            .attributes
            .unwrap_or_default();
        let read = |name| anyhow::Ok(attributes.get(&name).context("no depth")?.parse::<usize>()?);
        Ok((
            read(QueueAttributeName::ApproximateNumberOfMessages)?,
            read(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)?,
        ))
    }

    /// Every item of the table that `variable` of `service` names.
    pub async fn items(&self, service: &str, variable: &str) -> anyhow::Result<Vec<Item>> {
        let service = self.system.account.service(service).context("no such service")?;
        let dynamodb = aws_sdk_dynamodb::Client::new(&self.aws);
        let scan = dynamodb.scan().table_name(&service.variables[variable]).send().await?;
        Ok(scan.items.unwrap_or_default())
    }
}

/// The files of the system. A suite with this name's ending runs from the plain templates.
fn files() -> PathBuf {
    let is_plain = env!("CARGO_CRATE_NAME").ends_with("_from_infrastructure");
    let copilot = build::copilot_directory();
    if is_plain { copilot.with_file_name("infrastructure") } else { copilot }
}

/// The value of an input field on a page.
pub fn field<'a>(page: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let after = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
    after
        .and_then(|rest| rest.split('"').next())
        .with_context(|| format!("no field {name}: {page}"))
}
