//! The whole system on this machine: an AWS account, and the services as processes.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::ExitStatus,
    task::Poll,
    time::Duration,
};

use account::{
    embedded::EmbeddedAccount,
    endpoint::{self, Endpoint},
    ledger::Ledger,
    provision::{Account, Service, Target, provision_deployment},
    proxy::{Conditions, Proxy},
};
use anyhow::Context as _;
use deployment::{Deployment, description::Kind};
use orders::event::ORDERS_TOPIC;
use pubsub::env::Misconfigured;
use tokio::{
    sync::mpsc::UnboundedSender,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    port,
    process::{Line, Process},
    secrets::Secrets,
    task::{self, Task},
};

/// The port of the AWS endpoint unless another is asked for, as other local endpoints have it.
pub const DEFAULT_AWS_PORT: u16 = 4566;
/// The variable by which a service finds its AWS endpoint.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// How long a service may take to exit after SIGTERM. ECS waits longer, but here a person waits.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a web service may drain before its successor takes its port. A browser may hold a
/// connection for longer, and reconnects.
const WEB_DRAIN: Duration = Duration::from_secs(2);

/// What to start, and where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory with the files that describe the account.
    pub files: PathBuf,
    /// The directory with the services' binaries.
    pub binaries: PathBuf,
    /// The environment of these files.
    pub environment: String,
    /// A running AWS endpoint; without one, an embedded one is started.
    pub endpoint: Option<Target>,
    /// The port of the embedded endpoint; 0 for a free one.
    pub aws_port: u16,
    /// The seed of the habits of AWS that the embedded endpoint has, if it has any.
    pub like_aws: Option<u64>,
    /// The port of the page; 0 for a free one.
    pub port: u16,
    /// The address of the page. Everything else listens on loopback.
    pub host: IpAddr,
    /// The services that are not started yet; [`System::start_service`] can do it later.
    pub without: Vec<String>,
    /// Variables that override those of every service.
    pub variables: BTreeMap<String, String>,
    /// The values of the services' secrets, which no service has to have.
    pub secrets: Secrets,
    /// Whether the services reach an embedded endpoint through a proxy, at which other programs may
    /// change the [`weather`](account::proxy::weather).
    pub changing_weather: bool,
}

/// A running system. Dropping it kills its processes; [`System::stop`] lets them finish.
#[derive(Debug)]
pub struct System {
    /// The resources at the endpoint, and the variables that the processes run with.
    pub account: Account,
    /// The AWS endpoint.
    pub target: Target,
    /// The URL of the page.
    pub url: String,
    ports: BTreeMap<String, u16>,
    tasks: BTreeMap<String, Task>,
    endpoint: Option<Endpoint>,
    proxy: Option<Proxy>,
    settings: Settings,
    lines: UnboundedSender<Line>,
}

impl Settings {
    /// Gives a service the variables of this machine, and the URL of the proxy.
    fn adapt(&self, service: &mut Service, proxy: Option<&Proxy>) {
        service.variables.extend(self.variables.clone());
        if let Some(Proxy { url, .. }) = proxy {
            service.variables.insert(ENDPOINT.to_owned(), url.clone());
        }
        if service.kind == Kind::Web {
            service.variables.insert(task::HOST.to_owned(), self.host.to_string());
        }
    }
}

impl System {
    /// Starts everything. The services' log lines go to `lines`.
    ///
    /// # Errors
    ///
    /// [`deployment::Mistake`] or [`Misconfigured`] for what a person has to fix; otherwise what
    /// the endpoint or the operating system refused.
    pub async fn start(settings: Settings, lines: UnboundedSender<Line>) -> anyhow::Result<Self> {
        let deployment = deployment::read(&settings.files, &settings.environment)?;
        check_names(&deployment, &settings.without)?;
        let port = port::free(settings.port, settings.host)?;
        let (mut account, target, endpoint) = account(&deployment, &settings).await?;
        let behind = endpoint.as_ref().filter(|_| settings.changing_weather);
        let proxy = match behind {
            Some(endpoint) => {
                let changing = Some(endpoint.twice());
                let conditions = Conditions { changing, ..Conditions::default() };
                Some(Proxy::start(&endpoint.url, conditions).await?)
            }
            None => None,
        };
        let mut ports = BTreeMap::new();
        for service in &mut account.services {
            settings.adapt(service, proxy.as_ref());
            let loopback = || port::free(0, Ipv4Addr::LOCALHOST.into());
            let port = if service.kind == Kind::Web { port } else { loopback()? };
            ports.insert(service.name.clone(), port);
        }
        let mut system = Self {
            account,
            target,
            url: format!("http://localhost:{port}"),
            ports,
            tasks: BTreeMap::new(),
            endpoint,
            proxy,
            settings,
            lines,
        };
        let mut names = system.names();
        names.retain(|name| !system.settings.without.contains(name));
        for name in names {
            system.start_service(&name)?;
        }
        Ok(system)
    }

    /// Whether the AWS endpoint is in this process.
    pub fn is_embedded(&self) -> bool {
        self.endpoint.is_some()
    }

    /// Whether it takes orders, as the system of this workspace does.
    pub fn takes_orders(&self) -> bool {
        self.account.services.iter().any(|service| service.topics.contains_key(ORDERS_TOPIC))
    }

    /// The values of the services' secrets.
    pub fn secrets(&self) -> &Secrets {
        &self.settings.secrets
    }

    /// The proxy at which the weather changes, if there is one.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// The directory with the files that describe the account.
    pub fn files(&self) -> &Path {
        &self.settings.files
    }

    /// The names of the services.
    pub fn names(&self) -> Vec<String> {
        let services = self.account.services.iter();
        services.map(|service| service.name.clone()).collect()
    }

    /// The service of a task, whose name may have a number, as `fulfilment-2` has.
    pub fn service_of<'a>(&self, task: &'a str) -> &'a str {
        match task.rsplit_once('-') {
            Some((service, number))
                if number.parse::<u32>().is_ok() && self.account.service(service).is_some() =>
            {
                service
            }
            _ => task,
        }
    }

    /// The tasks that run, and their process ids.
    pub fn running(&self) -> BTreeMap<String, i32> {
        self.tasks.iter().map(|(name, task)| (name.clone(), task.process.pid())).collect()
    }

    /// Takes note from now on of what happens in the account, if it is in this process.
    pub fn ledger(&self) -> Option<Ledger> {
        self.endpoint.as_ref().map(Endpoint::ledger)
    }

    /// Starts the service `name`, or a further task of it as `name-2`. Its former process is killed
    /// if it still runs.
    ///
    /// # Errors
    ///
    /// If there is no such service or binary, or it cannot be started.
    pub fn start_service(&mut self, name: &str) -> anyhow::Result<()> {
        let service = self.account.service(self.service_of(name)).context("no such service")?;
        let port = match self.ports.get(name) {
            Some(port) => *port,
            None => port::free(0, Ipv4Addr::LOCALHOST.into())?,
        };
        let mut service = service.clone();
        let secrets = self.settings.secrets.of(&service);
        secrets.into_iter().for_each(|(name, value)| {
            service.variables.entry(name).or_insert(value);
        });
        let binaries = &self.settings.binaries;
        let task = Task::start_as(name, &service, port, binaries, &self.lines)?;
        self.tasks.insert(name.to_owned(), task);
        Ok(())
    }

    /// Makes the account what the files say now, and returns the services that have other
    /// variables now, whether or not they run.
    ///
    /// # Errors
    ///
    /// As [`System::start`]. With another set of services it has to be started again.
    pub async fn reload(&mut self) -> anyhow::Result<Vec<String>> {
        let deployment = deployment::read(&self.settings.files, &self.settings.environment)?;
        let mut account = provision_deployment(&deployment, &self.target).await?;
        let proxy = self.proxy.as_ref();
        account.services.iter_mut().for_each(|service| self.settings.adapt(service, proxy));
        let old = std::mem::replace(&mut self.account, account);
        let is_same = self.names().iter().eq(old.services.iter().map(|service| &service.name));
        if !is_same {
            self.account = old;
            anyhow::bail!("a service was added or removed: start this again");
        }
        let pairs = self.account.services.iter().zip(&old.services);
        let changed = pairs
            .filter(|(new, old)| (&new.variables, &new.secrets) != (&old.variables, &old.secrets));
        Ok(changed.map(|(new, _)| new.name.clone()).collect())
    }

    /// The environment that the process of the service `name` gets, without its secrets.
    ///
    /// # Errors
    ///
    /// If there is no such service.
    pub fn variables(&self, name: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let service = self.account.service(name).context("no such service")?;
        let port = self.ports.get(name).context("a service without a port")?;
        Ok(task::variables(service, *port))
    }

    /// Replaces the processes of tasks by new ones, which may have other binaries, and waits
    /// until those are healthy. The old ones drain first, all at once, because a new one needs the
    /// same port: a worker finishes its messages, and a web service gets two seconds.
    ///
    /// # Errors
    ///
    /// If a new process does not start or does not become healthy.
    pub async fn replace_services(&mut self, names: &[String]) -> anyhow::Result<()> {
        let mut old: Vec<_> = names.iter().filter_map(|name| self.tasks.remove(name)).collect();
        old.iter_mut().for_each(|task| task.process.terminate());
        let asked = Instant::now();
        for task in &mut old {
            let drain = if task.kind == Kind::Web { WEB_DRAIN } else { STOP_TIMEOUT };
            if timeout_at(asked + drain, task.process.wait()).await.is_err() {
                task.process.kill();
                task.process.wait().await?;
            }
        }
        for name in names {
            self.start_service(name)?;
        }
        for name in names {
            let task = self.tasks.get_mut(name).context("it was started")?;
            tokio::select! {
                healthy = task.healthy() => healthy?,
                status = task.process.wait() => anyhow::bail!("{name} exited with {}", status?),
            }
        }
        Ok(())
    }

    /// The process of the service `name`.
    ///
    /// # Errors
    ///
    /// If there is no such service.
    pub fn process(&mut self, name: &str) -> anyhow::Result<&mut Process> {
        let task = self.tasks.get_mut(name);
        Ok(&mut task.with_context(|| format!("there is no service {name}"))?.process)
    }

    /// Waits until the page answers, unless its service was left out. A worker that is not ready
    /// yet loses nothing: its queue waits.
    ///
    /// # Errors
    ///
    /// If it does not within 30 seconds.
    pub fn healthy(&self) -> impl Future<Output = anyhow::Result<()>> + Send + use<> {
        let mut services = self.account.services.iter();
        let web = services.find(|service| service.kind == Kind::Web);
        let healthy = web.and_then(|web| self.tasks.get(&web.name)).map(Task::healthy);
        async move {
            match healthy {
                Some(healthy) => healthy.await,
                None => Ok(()),
            }
        }
    }

    /// Waits until a service exits, and returns its name and how it exited.
    ///
    /// It is not part of the system any more: [`System::stop`] does not judge how it exited.
    pub async fn exited(&mut self) -> (String, anyhow::Result<ExitStatus>) {
        let exited = self.next_exit().await;
        self.tasks.remove(&exited.0);
        exited
    }

    async fn next_exit(&mut self) -> (String, anyhow::Result<ExitStatus>) {
        let processes = self.tasks.values_mut().map(|task| &mut task.process);
        let mut waits: Vec<_> = processes
            .map(|process| Box::pin(async { (process.name.clone(), process.wait().await) }))
            .collect();
        poll_fn(|context| {
            let mut exited = waits.iter_mut().map(|wait| wait.as_mut().poll(context));
            exited.find(Poll::is_ready).unwrap_or(Poll::Pending)
        })
        .await
    }

    /// Sends SIGTERM to every service, waits for them, and stops the endpoint.
    ///
    /// # Errors
    ///
    /// If one had to be killed, or exited with a code other than 0.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let mut failures = Vec::new();
        for task in self.tasks.values_mut() {
            task.process.terminate();
        }
        if let Some(endpoint) = &self.endpoint {
            endpoint.end_long_polls();
        }
        for process in self.tasks.values_mut().map(|task| &mut task.process) {
            match timeout(STOP_TIMEOUT, process.wait()).await {
                Ok(Ok(status)) if status.success() => {}
                Ok(Ok(status)) => failures.push(format!("{} exited with {status}", process.name)),
                Ok(Err(error)) => failures.push(format!("{error:#}")),
                Err(_) => {
                    process.kill();
                    failures.push(format!("{} had to be killed", process.name));
                }
            }
        }
        if let Some(endpoint) = self.endpoint.take() {
            endpoint.stop().await;
        }
        anyhow::ensure!(failures.is_empty(), "{}", failures.join("; "));
        Ok(())
    }
}

/// Refuses a name that no service has.
fn check_names(deployment: &Deployment, names: &[String]) -> Result<(), Misconfigured> {
    let mut unknown = names.iter().filter(|name| deployment.service(name).is_none());
    let Some(unknown) = unknown.next() else { return Ok(()) };
    let known: Vec<_> = deployment.services.iter().map(|service| service.name.as_str()).collect();
    Err(Misconfigured(format!("no service is called {unknown:?}; there are {}", known.join(", "))))
}

/// An account at the endpoint that is given, or else at one in this process.
async fn account(
    deployment: &Deployment,
    settings: &Settings,
) -> anyhow::Result<(Account, Target, Option<Endpoint>)> {
    if let Some(target) = settings.endpoint.clone() {
        return Ok((provision_deployment(deployment, &target).await?, target, None));
    }
    let port = port::free(settings.aws_port, Ipv4Addr::LOCALHOST.into())?;
    let habits = settings.like_aws;
    let settings = endpoint::Settings { habits, ..endpoint::Settings::loopback(port) };
    let EmbeddedAccount { endpoint, target, account } =
        EmbeddedAccount::start(deployment, &settings).await?;
    Ok((account, target, Some(endpoint)))
}
