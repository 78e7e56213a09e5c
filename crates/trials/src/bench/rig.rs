//! An AWS account with nothing in it, and services beside it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use account::{
    endpoint::{self, Endpoint},
    provision::{Account, Target, provision},
    proxy::{Conditions, Proxy},
};
use anyhow::{Context as _, ensure};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use local::{
    build, dead_letters,
    process::{Line, Process},
    system::free_port,
};
use orders::event::ORDERS_TOPIC;
use pubsub::health;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{sleep, timeout},
};

use super::load::Accepted;

/// A service that is not healthy by then never will be.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Short, because the start is measured.
const HEALTH_INTERVAL: Duration = Duration::from_millis(1);
/// How often it is looked whether orders are announced.
const AUDIT_INTERVAL: Duration = Duration::from_millis(100);

/// When each order was fulfilled, by the log of fulfilment.
type Fulfilled = Arc<Mutex<HashMap<String, Instant>>>;

/// All that something is measured on.
pub struct Stage {
    endpoint: Endpoint,
    /// For clients that look at the account meanwhile: they share its connections.
    direct: SdkConfig,
    account: Account,
    /// In front of the endpoint: it counts, and delays what it is told to.
    pub proxy: Proxy,
    binaries: PathBuf,
    lines: UnboundedSender<Line>,
    fulfilled: Fulfilled,
}

/// How a service or a client gets to AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Directly.
    Direct,
    /// Through the proxy.
    Proxy,
}

/// A running service; it is killed when it is dropped.
pub struct Service {
    process: Process,
    /// The port of its page, or of its health.
    pub port: u16,
    /// From its start until it was healthy.
    pub took: Duration,
}

impl Stage {
    /// An account as the Copilot files describe it; through the proxy each call takes `delay`
    /// longer.
    pub async fn set(binaries: &Path, delay: Duration) -> anyhow::Result<Self> {
        let endpoint = endpoint::start(&endpoint::Settings::loopback(0)).await?;
        let target = Target { endpoint_url: endpoint.url.clone(), region: endpoint::region() };
        let account = provision(&build::copilot_directory(), &target).await?;
        let proxy = Proxy::start(&endpoint.url, Conditions { delay, ..Conditions::default() });
        let proxy = proxy.await?;
        let (lines, received) = unbounded_channel();
        let fulfilled = Fulfilled::default();
        tokio::spawn(note_fulfilled(received, Arc::clone(&fulfilled)));
        let (direct, binaries) = (target.config().await, binaries.to_owned());
        Ok(Self { endpoint, direct, account, proxy, binaries, lines, fulfilled })
    }

    /// Starts a service as it is shipped, but without the banner, and waits until it is healthy.
    pub async fn start(&self, name: &str, way: Way) -> anyhow::Result<Service> {
        let port = free_port(0)?;
        let service = self.account.service(name).context("no such service")?;
        let mut variables = service.variables.clone();
        let with: BTreeMap<&str, String> = BTreeMap::from([
            ("AWS_ENDPOINT_URL", self.url(way).to_owned()),
            ("PORT", port.to_string()),
            ("HEALTH_PORT", port.to_string()),
            ("BANNER", "off".to_owned()),
            ("PACE_MS", "0".to_owned()),
        ]);
        variables.extend(with.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let binary = build::binary(&self.binaries, name)?;
        let started = Instant::now();
        let process = Process::spawn(name, &binary, &variables, &self.lines)?;
        let path = if name == "publisher" { "/ping" } else { "/" };
        let answers = async {
            while health::check(port, path).await.is_err() {
                sleep(HEALTH_INTERVAL).await;
            }
        };
        let healthy = timeout(START_TIMEOUT, answers).await;
        healthy.with_context(|| format!("{name} does not become healthy"))?;
        Ok(Service { process, port, took: started.elapsed() })
    }

    /// Ends services as ECS does.
    pub async fn stop(&self, services: Vec<Service>) -> anyhow::Result<()> {
        let mut processes: Vec<Process> = services.into_iter().map(|it| it.process).collect();
        processes.iter_mut().for_each(Process::terminate);
        // A long poll ends by itself after 20 s, and nobody needs the queues any more.
        self.endpoint.end_long_polls();
        for process in &mut processes {
            let ended = timeout(STOP_TIMEOUT, process.wait()).await;
            let status = ended.with_context(|| format!("{} does not end", process.name))??;
            ensure!(status.success(), "{} ended with {status}", process.name);
        }
        Ok(())
    }

    /// How many messages wait or are held in any of the queues.
    pub async fn waiting(&self) -> anyhow::Result<usize> {
        let mut waiting = 0;
        for service in &self.account.services {
            waiting += self.depth(&service.name).await?;
        }
        Ok(waiting)
    }

    /// For clients of our own.
    pub async fn aws(&self, way: Way) -> SdkConfig {
        let endpoint_url = self.url(way).to_owned();
        Target { endpoint_url, region: endpoint::region() }.config().await
    }

    fn url(&self, way: Way) -> &str {
        if way == Way::Proxy { &self.proxy.url } else { &self.endpoint.url }
    }

    /// The table of orders.
    pub fn orders_table(&self) -> anyhow::Result<&str> {
        let publisher = self.account.service("publisher").context("no publisher")?;
        publisher.variable("ORDERS_TABLE_NAME")
    }

    /// The topic of orders.
    pub fn orders_topic(&self) -> anyhow::Result<&str> {
        let publisher = self.account.service("publisher").context("no publisher")?;
        publisher.topic_arn(ORDERS_TOPIC)
    }

    /// The queue of fulfilment, which gets every order.
    pub fn queue(&self) -> anyhow::Result<&str> {
        self.queue_of("fulfilment")
    }

    fn queue_of(&self, service: &str) -> anyhow::Result<&str> {
        let service = self.account.service(service).context("no such service")?;
        let url = service.queue.as_ref().map(|queue| &queue.url);
        // The publisher's is that of what the workers tell.
        let url = url.or_else(|| service.variables.get("STATUS_QUEUE_URL"));
        url.map(String::as_str).context("a service without a queue")
    }

    /// How many messages are in the queue of `service`: visible, or held by somebody.
    pub async fn depth(&self, service: &str) -> anyhow::Result<usize> {
        let sqs = aws_sdk_sqs::Client::new(&self.direct);
        let (visible, held) = dead_letters::depth(&sqs, self.queue_of(service)?).await?;
        Ok(visible + held)
    }

    /// Waits until every one of `accepted` is stored and announced; returns how many are not after
    /// `patience`.
    pub async fn unannounced(
        &self,
        accepted: &[Accepted],
        patience: Duration,
    ) -> anyhow::Result<usize> {
        let deadline = Instant::now() + patience;
        loop {
            let announced = self.announced().await?;
            let missing = accepted.iter().filter(|it| !announced.contains(&it.id)).count();
            // What was announced is in the queue of fulfilment, or was handled by it.
            let delivered = self.depth("fulfilment").await? + self.fulfilled_count();
            let lost = missing.max(accepted.len().saturating_sub(delivered));
            if lost == 0 || Instant::now() > deadline {
                return Ok(lost);
            }
            sleep(AUDIT_INTERVAL).await;
        }
    }

    /// The ids of all orders that are stored and, by their record, announced.
    async fn announced(&self) -> anyhow::Result<HashSet<String>> {
        let dynamodb = aws_sdk_dynamodb::Client::new(&self.direct);
        let mut pages = dynamodb
            .scan()
            .table_name(self.orders_table()?)
            .filter_expression("attribute_exists(announced_at) AND attribute_not_exists(outbox)")
            .projection_expression("id")
            .into_paginator()
            .items()
            .send();
        let mut ids = HashSet::new();
        while let Some(mut item) = pages.try_next().await? {
            if let Some(AttributeValue::S(id)) = item.remove("id") {
                ids.insert(id);
            }
        }
        Ok(ids)
    }

    /// When each order was fulfilled, so far.
    pub fn fulfilled(&self) -> HashMap<String, Instant> {
        self.fulfilled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many orders were fulfilled so far.
    pub fn fulfilled_count(&self) -> usize {
        self.fulfilled.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Service {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.process.name
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }
}

async fn note_fulfilled(mut lines: UnboundedReceiver<Line>, fulfilled: Fulfilled) {
    while let Some(Line { service, text }) = lines.recv().await {
        if service != "fulfilment" || !text.contains("order fulfilled") {
            continue;
        }
        let id = text.split_whitespace().find_map(|word| word.strip_prefix("order.id="));
        if let Some(id) = id {
            let mut fulfilled = fulfilled.lock().unwrap_or_else(PoisonError::into_inner);
            fulfilled.entry(id.to_owned()).or_insert_with(Instant::now);
        }
    }
}
