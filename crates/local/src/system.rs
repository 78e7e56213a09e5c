//! The whole system on this machine: an AWS endpoint, all that the Copilot files describe, and
//! the services as processes.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::ExitStatus,
    task::Poll,
    time::Duration,
};

use account::{
    endpoint::{self, Endpoint},
    provision::{Account, Target, provision_deployment},
};
use anyhow::Context as _;
use deployment::{copilot, description::Kind};
use pubsub::{env::Misconfigured, health};
use tokio::{
    sync::mpsc::UnboundedSender,
    time::{sleep, timeout},
};

use crate::{
    build,
    process::{Line, Process},
};

/// What ECS gives a service between SIGTERM and SIGKILL is more; on a laptop a person waits.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// A service that is not healthy by then never will be.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const HEALTH_INTERVAL: Duration = Duration::from_millis(5);

/// What to start, and where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory with the Copilot files.
    pub copilot: PathBuf,
    /// The directory with the services' binaries.
    pub binaries: PathBuf,
    /// The environment of the Copilot files.
    pub environment: String,
    /// An AWS endpoint that runs already; without one, an embedded one is started.
    pub endpoint_url: Option<String>,
    /// The embedded endpoint's port; 0 for a free one.
    pub aws_port: u16,
    /// The page's port; 0 for a free one.
    pub port: u16,
    /// Variables that every service gets beside its own, and that win over them.
    pub variables: BTreeMap<String, String>,
}

/// A running system. Its processes are killed when it is dropped; [`System::stop`] is kinder.
#[derive(Debug)]
pub struct System {
    /// What was made at the endpoint. Its variables are those that the processes run with.
    pub account: Account,
    /// Where AWS is.
    pub target: Target,
    /// The page.
    pub url: String,
    processes: BTreeMap<String, Process>,
    endpoint: Option<Endpoint>,
    binaries: PathBuf,
    lines: UnboundedSender<Line>,
}

impl System {
    /// Starts everything. The services' lines go to `lines`.
    ///
    /// # Errors
    ///
    /// [`deployment::Mistake`] or [`Misconfigured`] for what a person has to mend; otherwise
    /// what the endpoint or the system refused.
    pub async fn start(settings: Settings, lines: UnboundedSender<Line>) -> anyhow::Result<Self> {
        let deployment = copilot::read(&settings.copilot, &settings.environment)?;
        let port = free_port(settings.port)?;
        let (target, endpoint) = reach(settings.endpoint_url, settings.aws_port).await?;
        let mut account = provision_deployment(&deployment, &target).await?;
        for service in &mut account.services {
            let (name, port) = match service.kind {
                Kind::Web => ("PORT", port),
                Kind::Worker => ("HEALTH_PORT", free_port(0)?),
            };
            service.variables.insert(name.to_owned(), port.to_string());
            service.variables.extend(settings.variables.clone());
        }
        let mut system = Self {
            account,
            target,
            url: format!("http://localhost:{port}"),
            processes: BTreeMap::new(),
            endpoint,
            binaries: settings.binaries,
            lines,
        };
        for name in system.names() {
            system.start_service(&name)?;
        }
        Ok(system)
    }

    /// Whether the AWS endpoint is in this process.
    pub fn is_embedded(&self) -> bool {
        self.endpoint.is_some()
    }

    /// The services' names.
    pub fn names(&self) -> Vec<String> {
        let services = self.account.services.iter();
        services.map(|service| service.name.clone()).collect()
    }

    /// Starts the service `name`, in place of the process it had, which is killed if it still runs.
    ///
    /// # Errors
    ///
    /// If there is no such service or binary, or it cannot be started.
    pub fn start_service(&mut self, name: &str) -> anyhow::Result<()> {
        let service = self.account.service(name).context("no such service")?;
        let binary = build::binary(&self.binaries, name)?;
        let process = Process::spawn(name, &binary, &service.variables, &self.lines)?;
        self.processes.insert(name.to_owned(), process);
        Ok(())
    }

    /// The process of the service `name`.
    ///
    /// # Errors
    ///
    /// If there is no such service.
    pub fn process(&mut self, name: &str) -> anyhow::Result<&mut Process> {
        let missing = || format!("there is no service {name}");
        self.processes.get_mut(name).with_context(missing)
    }

    /// Waits until the page answers. A worker that is not ready yet loses nothing: its queue waits.
    ///
    /// # Errors
    ///
    /// If it does not within 30 seconds.
    pub fn healthy(&self) -> impl Future<Output = anyhow::Result<()>> + Send + use<> {
        let mut services = self.account.services.iter();
        let web = services.find(|service| service.kind == Kind::Web).cloned();
        async move {
            let web = web.context("no service has a page")?;
            let port = web.variables["PORT"].parse().context("a port")?;
            let answers = async {
                while health::check(port, "/ping").await.is_err() {
                    sleep(HEALTH_INTERVAL).await;
                }
            };
            let healthy = timeout(START_TIMEOUT, answers).await;
            healthy.with_context(|| format!("{} does not become healthy", web.name))
        }
    }

    /// Waits until a service ends, and returns its name and how it ended.
    pub async fn ended(&mut self) -> (String, anyhow::Result<ExitStatus>) {
        let mut waits: Vec<_> = (self.processes.values_mut())
            .map(|process| Box::pin(async { (process.name.clone(), process.wait().await) }))
            .collect();
        poll_fn(|context| {
            let mut ended = waits.iter_mut().map(|wait| wait.as_mut().poll(context));
            ended.find(Poll::is_ready).unwrap_or(Poll::Pending)
        })
        .await
    }

    /// Sends SIGTERM to every service, waits for them, and stops the endpoint.
    ///
    /// # Errors
    ///
    /// If one had to be killed, or ended with another code than 0.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let mut trouble = Vec::new();
        for process in self.processes.values_mut() {
            process.terminate();
        }
        if let Some(endpoint) = &self.endpoint {
            endpoint.end_long_polls();
        }
        for process in self.processes.values_mut() {
            match timeout(STOP_TIMEOUT, process.wait()).await {
                Ok(Ok(status)) if status.success() => {}
                Ok(Ok(status)) => trouble.push(format!("{} ended with {status}", process.name)),
                Ok(Err(error)) => trouble.push(format!("{error:#}")),
                Err(_) => {
                    process.kill();
                    trouble.push(format!("{} had to be killed", process.name));
                }
            }
        }
        if let Some(endpoint) = self.endpoint.take() {
            endpoint.stop().await;
        }
        anyhow::ensure!(trouble.is_empty(), "{}", trouble.join("; "));
        Ok(())
    }
}

/// The endpoint that is given, or else one of our own.
///
/// # Errors
///
/// [`Misconfigured`] if the port is taken.
pub async fn reach(
    endpoint_url: Option<String>,
    port: u16,
) -> anyhow::Result<(Target, Option<Endpoint>)> {
    let region = endpoint::region();
    if let Some(endpoint_url) = endpoint_url {
        let target = Target { endpoint_url, region };
        return Ok((target, None));
    }
    let endpoint = endpoint::start(&endpoint::Settings::loopback(port)).await?;
    let target = Target { endpoint_url: endpoint.url.clone(), region };
    Ok((target, Some(endpoint)))
}

/// `wanted`, or if that is 0 a port that was free a moment ago.
///
/// # Errors
///
/// [`Misconfigured`] if it is taken.
pub fn free_port(wanted: u16) -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, wanted)).map_err(|error| {
        Misconfigured(format!(
            "port {wanted} cannot be used ({error}): end what listens there, or choose another"
        ))
    })?;
    Ok(listener.local_addr().context("reading the port")?.port())
}
