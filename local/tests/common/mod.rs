//! The whole system for one test: its own AWS account, real binaries, free ports.
#![expect(dead_code, reason = "each suite uses a part of it")]

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, ensure};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use local::{
    build,
    log::Log,
    provision::{ENVIRONMENT, Queue},
    system::{Settings, System},
};
use reqwest::{Client, Response, header, redirect::Policy};
use tokio::time::{sleep, timeout};

/// Longer than anything takes on a busy machine: whoever waits longer waits for nothing.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const LOOK_EVERY: Duration = Duration::from_millis(20);

pub type Item = std::collections::HashMap<String, AttributeValue>;

/// A running system, and a browser.
pub struct Bed {
    pub system: System,
    pub log: Log,
    pub http: Client,
    pub aws: SdkConfig,
}

impl Bed {
    /// Starts a system, and waits until it is healthy.
    pub async fn start() -> anyhow::Result<Self> {
        let (log, lines) = Log::new();
        let settings = Settings {
            copilot: build::copilot_directory(),
            binaries: build::binaries().await?,
            environment: ENVIRONMENT.to_owned(),
            endpoint_url: None,
            aws_port: 0,
            port: 0,
            // A short long poll, so that a stop is short; and all that a service could say.
            variables: BTreeMap::from(
                [("RECEIVE_WAIT_SECONDS", "1"), ("RUST_LOG", "info,promotion=debug")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
            ),
        };
        let system = System::start(settings, lines).await?;
        system.healthy().await?;
        let aws = system.target.config().await;
        let http = Client::builder().redirect(Policy::none()).build()?;
        Ok(Self { system, log, http, aws })
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

    /// Sends an order as a person would, and returns its id.
    pub async fn order(&self, customer: &str, total: &str) -> anyhow::Result<String> {
        let id = self.open_form().await?;
        let answer = self.post_form(&id, customer, total).await?;
        ensure!(answer.status() == 303, "an order of {total} was answered {}", answer.status());
        ensure!(answer.headers()[header::LOCATION] == *format!("/orders/{id}"));
        Ok(id)
    }

    /// Waits for a line of `service` with all of `fragments` in it.
    pub async fn saw(&self, service: &str, fragments: &[&str]) -> anyhow::Result<String> {
        let has_all = |line: &str| fragments.iter().all(|fragment| line.contains(fragment));
        self.log.wait_for(service, PATIENCE, has_all).await
    }

    /// The lines of `service` with `fragment` in them, so far.
    pub fn lines(&self, service: &str, fragment: &str) -> Vec<String> {
        let lines = self.log.of(service).into_iter();
        lines.filter(|line| line.contains(fragment)).collect()
    }

    pub fn queue(&self, service: &str) -> anyhow::Result<Queue> {
        let service = self.system.account.service(service).context("no such service")?;
        service.queue.clone().context("no queue")
    }

    /// Puts a message into a worker's queue, past the topic.
    pub async fn send_to_queue(&self, service: &str, body: &str) -> anyhow::Result<()> {
        self.send(self.queue(service)?.url, body).await
    }

    /// Puts a message into a worker's dead-letter queue, as if no try could have handled it.
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
        let deadline = timeout(PATIENCE, settled).await;
        deadline.with_context(|| format!("{service} never has {count} dead letters"))?
    }

    /// How many messages of a queue are visible, and how many are held by somebody.
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

    /// Every item of the table that `service` finds in `variable`.
    pub async fn items(&self, service: &str, variable: &str) -> anyhow::Result<Vec<Item>> {
        let service = self.system.account.service(service).context("no such service")?;
        let dynamodb = aws_sdk_dynamodb::Client::new(&self.aws);
        let scan = dynamodb.scan().table_name(&service.variables[variable]).send().await?;
        Ok(scan.items.unwrap_or_default())
    }
}

/// The value of an input field on a page.
pub fn field<'a>(page: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let after = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
    after
        .and_then(|rest| rest.split('"').next())
        .with_context(|| format!("no field {name}: {page}"))
}
