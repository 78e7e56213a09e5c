//! What a measurement runs on: an empty AWS account, a proxy in front of it, and the services.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use account::{
    dead_letters,
    embedded::EmbeddedAccount,
    endpoint,
    provision::{ENVIRONMENT, Service as Provisioned, Target},
    proxy::{Calls, Conditions, Fault, Outage, Proxy},
};
use anyhow::{Context as _, ensure};
use aws_config::SdkConfig;
use deployment::{Deployment, copilot};
use local::{
    build, port,
    process::{Line, Process},
    task::Task,
};
use orders::event::ORDERS_TOPIC;
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::timeout,
};

use super::{
    seen::{Progress, Seen},
    tls,
};

const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// The service that is left out unless it is asked for.
const HISTORY: &str = "history";

/// An AWS account, and the services of a deployment that use it.
pub struct Rig {
    embedded: EmbeddedAccount,
    /// For clients that bypass the proxy. They share its connections.
    direct: SdkConfig,
    proxy: Proxy,
    tls: Option<tls::Front>,
    /// What each service gets besides.
    variables: BTreeMap<String, String>,
    binaries: PathBuf,
    lines: UnboundedSender<Line>,
    seen: Seen,
}

/// How a service or a client reaches the AWS endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Directly.
    Direct,
    /// Through the proxy, which counts calls and delays them.
    Proxy,
    /// With TLS, as AWS is reached.
    Tls,
}

impl Way {
    /// The way with a delay of `delay`: without one, the proxy would only take processor time.
    pub fn with_delay(delay: Duration) -> Self {
        if delay.is_zero() { Self::Direct } else { Self::Proxy }
    }
}

/// A running service. It is killed when it is dropped.
pub struct Service {
    /// Its process.
    pub process: Process,
    /// The port of its page, or of its health check.
    pub port: u16,
    /// The time from its start until it was healthy.
    pub took: Duration,
}

impl Rig {
    /// Creates the account that the Copilot files describe, without history, which nothing else
    /// needs. The proxy delays each call by `delay`.
    pub async fn set_up(binaries: &Path, delay: Duration) -> anyhow::Result<Self> {
        let deployment = copilot::read(&build::copilot_directory(), ENVIRONMENT)?;
        Self::of(deployment.without(HISTORY), binaries, delay).await
    }

    /// As [`Rig::set_up`], with history.
    pub async fn with_history(binaries: &Path, delay: Duration) -> anyhow::Result<Self> {
        let deployment = copilot::read(&build::copilot_directory(), ENVIRONMENT)?;
        Self::of(deployment, binaries, delay).await
    }

    async fn of(deployment: Deployment, binaries: &Path, delay: Duration) -> anyhow::Result<Self> {
        let settings = endpoint::Settings::loopback(0);
        let embedded = EmbeddedAccount::start(&deployment, &settings).await?;
        let conditions = Conditions { delay, ..Conditions::default() };
        let proxy = Proxy::start(&embedded.endpoint.url, conditions).await?;
        let (lines, received) = unbounded_channel();
        let seen = Seen::start(received);
        let (direct, binaries) = (embedded.target.config().await, binaries.to_owned());
        let (tls, variables) = (None, BTreeMap::new());
        Ok(Self { embedded, direct, proxy, tls, variables, binaries, lines, seen })
    }

    /// Puts a server with TLS in front of the endpoint, for [`Way::Tls`].
    ///
    /// # Errors
    ///
    /// If it cannot listen, or its certificate cannot be made or written.
    pub async fn set_up_tls(&mut self) -> anyhow::Result<()> {
        let front = tls::Front::start(&self.embedded.endpoint.url).await?;
        self.give(tls::CERTIFICATES, front.authority.path().display());
        self.tls = Some(front);
        Ok(())
    }

    /// Gives a variable to all services that start from now on.
    pub fn give(&mut self, name: &str, value: impl ToString) {
        self.variables.insert(name.to_owned(), value.to_string());
    }

    /// The names of all services. The publisher, which takes the orders, is the first.
    pub fn services(&self) -> Vec<String> {
        let services = self.embedded.account.services.iter();
        let mut names: Vec<_> = services.map(|service| service.name.clone()).collect();
        names.sort_by_key(|name| name != "publisher");
        names
    }

    /// Starts a service, without the banner and without pauses, and waits until it is healthy.
    pub async fn start(&self, name: &str, way: Way) -> anyhow::Result<Service> {
        let mut service = self.service(name)?.clone();
        let changed = [
            ("AWS_ENDPOINT_URL", self.url(way)),
            ("BANNER", "off"),
            ("PACE_MS", "0"),
            ("LOG_FORMAT", "text"),
        ];
        let changed = changed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        service.variables.extend(changed);
        service.variables.extend(self.variables.clone());
        let started = Instant::now();
        let port = port::free(0, Ipv4Addr::LOCALHOST.into())?;
        let task = Task::start(&service, port, &self.binaries, &self.lines)?;
        task.healthy().await?;
        Ok(Service { process: task.process, port: task.port, took: started.elapsed() })
    }

    /// Starts all services; the publisher is the first of them.
    pub async fn start_all(&self, way: Way) -> anyhow::Result<Vec<Service>> {
        let mut services = Vec::new();
        for name in self.services() {
            services.push(self.start(&name, way).await?);
        }
        Ok(services)
    }

    /// Stops services with SIGTERM, as ECS does.
    pub async fn stop(&self, services: Vec<Service>) -> anyhow::Result<()> {
        let mut processes: Vec<Process> = services.into_iter().map(|it| it.process).collect();
        processes.iter_mut().for_each(Process::terminate);
        // Otherwise a worker waits up to 20 s for its long poll.
        self.embedded.endpoint.end_long_polls();
        for process in &mut processes {
            let ended = timeout(STOP_TIMEOUT, process.wait()).await;
            let status = ended.with_context(|| format!("{} does not exit", process.name))??;
            ensure!(status.success(), "{} exited with {status}", process.name);
        }
        Ok(())
    }

    /// The variables by which a program that is not a service of the deployment finds the endpoint.
    pub fn variables(&self, way: Way) -> BTreeMap<String, String> {
        let mut variables = self.embedded.target.variables();
        variables.extend(Target::administrator());
        variables.insert("AWS_ENDPOINT_URL".to_owned(), self.url(way).to_owned());
        variables
    }

    /// A client that bypasses the proxy.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.direct)
    }

    /// A configuration for clients in this process.
    pub async fn aws(&self, way: Way) -> SdkConfig {
        let endpoint_url = self.url(way).to_owned();
        let region = self.embedded.target.region.clone();
        Target::elsewhere(endpoint_url, region).config().await
    }

    fn url(&self, way: Way) -> &str {
        match (way, &self.tls) {
            (Way::Proxy, _) => &self.proxy.url,
            (Way::Tls, Some(front)) => &front.url,
            (Way::Tls, None) | (Way::Direct, _) => &self.embedded.endpoint.url,
        }
    }

    /// From now on, calls about the table of orders through the proxy get no answer, or the usual
    /// one again.
    pub fn hang(&self, hangs: bool) -> anyhow::Result<()> {
        let mentions = self.orders_table()?.to_owned();
        let of = vec![Calls { mentions, ..Calls::default() }];
        let outage = Outage::Calls { of, fault: Fault::Hang, percent: 100 };
        self.proxy.set_outages(if hangs { vec![outage] } else { Vec::new() });
        Ok(())
    }

    /// The calls through the proxy so far, by service and operation.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.proxy.counts().calls
    }

    fn service(&self, name: &str) -> anyhow::Result<&Provisioned> {
        self.embedded.account.service(name).with_context(|| format!("there is no service {name}"))
    }

    /// The name of the table of orders.
    pub fn orders_table(&self) -> anyhow::Result<&str> {
        self.service("publisher")?.variable("ORDERS_TABLE_NAME")
    }

    /// The name of the table of coupons.
    pub fn coupons_table(&self) -> anyhow::Result<&str> {
        self.service("promotion")?.variable("COUPONS_TABLE_NAME")
    }

    /// The name of the table of events, if there is history.
    pub fn events_table(&self) -> Option<&str> {
        self.service(HISTORY).ok()?.variable("EVENTS_TABLE_NAME").ok()
    }

    /// The ARN of the topic of orders.
    pub fn orders_topic(&self) -> anyhow::Result<&str> {
        self.service("publisher")?.topic_arn(ORDERS_TOPIC)
    }

    /// The URL of fulfilment's queue, which receives every order.
    pub fn fulfilment_queue(&self) -> anyhow::Result<&str> {
        let queue = self.service("fulfilment")?.queue.as_ref();
        queue.map(|queue| queue.url.as_str()).context("fulfilment has no queue")
    }

    /// The number of messages in fulfilment's queue, including those in flight.
    pub async fn fulfilment_depth(&self) -> anyhow::Result<usize> {
        self.depth(self.fulfilment_queue()?).await
    }

    /// The number of messages in all queues, including those in flight.
    pub async fn waiting(&self) -> anyhow::Result<usize> {
        let mut waiting = 0;
        for queue in
            self.embedded.account.services.iter().filter_map(|service| service.queue.as_ref())
        {
            waiting += self.depth(&queue.url).await?;
        }
        Ok(waiting)
    }

    async fn depth(&self, queue: &str) -> anyhow::Result<usize> {
        let sqs = aws_sdk_sqs::Client::new(&self.direct);
        let (visible, in_flight) = dead_letters::depth(&sqs, queue).await?;
        Ok(visible + in_flight)
    }

    /// How far each order has got.
    pub fn progress(&self) -> Progress {
        self.seen.progress()
    }

    /// The number of orders that were fulfilled so far.
    pub fn fulfilled_count(&self) -> usize {
        self.seen.fulfilled_count()
    }
}

impl Service {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.process.name
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }
}
