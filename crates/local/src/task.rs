//! A task: one process of a service, and where it answers its health check.

use std::{collections::BTreeMap, future::Future, path::Path, time::Duration};

use account::provision::Service;
use anyhow::Context as _;
use deployment::description::Kind;
use pubsub::health;
use tokio::{
    sync::mpsc::UnboundedSender,
    time::{sleep, timeout},
};

use crate::{
    build,
    process::{Line, Process},
};

/// A service that is not healthy by then never will be.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Short, because the benchmark measures the time to start.
const HEALTH_INTERVAL: Duration = Duration::from_millis(1);

/// The variable with the address that a web service listens on.
pub const HOST: &str = "HOST";
/// Only this machine can reach it.
const LOOPBACK: &str = "127.0.0.1";

/// A running task. Its process is killed when this is dropped.
#[derive(Debug)]
pub struct Task {
    /// The process.
    pub process: Process,
    /// The port of its health check, which for a web service is that of its pages.
    pub port: u16,
    /// The kind of its service.
    pub kind: Kind,
    health_path: String,
}

impl Task {
    /// Starts a task of `service`, with the binary in `binaries`. It listens on `port`; its log
    /// lines go to `lines`.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](pubsub::env::Misconfigured) if the binary is missing.
    pub fn start(
        service: &Service,
        port: u16,
        binaries: &Path,
        lines: &UnboundedSender<Line>,
    ) -> anyhow::Result<Self> {
        Self::start_as(&service.name, service, port, binaries, lines)
    }

    /// The same for a task that has another name than its service, because there are several.
    ///
    /// # Errors
    ///
    /// As [`Task::start`].
    pub fn start_as(
        name: &str,
        service: &Service,
        port: u16,
        binaries: &Path,
        lines: &UnboundedSender<Line>,
    ) -> anyhow::Result<Self> {
        let binary = build::binary_of(binaries, &service.application, &service.name)?;
        let process = Process::spawn(name, &binary, &variables(service, port), lines)?;
        Ok(Self { process, port, kind: service.kind, health_path: service.health_path.clone() })
    }

    /// Waits until the task is healthy.
    ///
    /// # Errors
    ///
    /// If it is not within 30 seconds.
    pub fn healthy(&self) -> impl Future<Output = anyhow::Result<()>> + Send + use<> {
        let (name, port, path) = (self.process.name.clone(), self.port, self.health_path.clone());
        async move {
            let answers = async {
                while health::check(port, &path).await.is_err() {
                    sleep(HEALTH_INTERVAL).await;
                }
            };
            let healthy = timeout(START_TIMEOUT, answers).await;
            healthy.with_context(|| format!("{name} does not become healthy"))
        }
    }
}

/// The environment of a task of `service` that listens on `port`.
pub fn variables(service: &Service, port: u16) -> BTreeMap<String, String> {
    let mut variables = service.variables.clone();
    match service.kind {
        Kind::Web => {
            variables.insert("PORT".to_owned(), port.to_string());
            variables.entry(HOST.to_owned()).or_insert_with(|| LOOPBACK.to_owned());
        }
        Kind::Worker => {
            variables.insert("HEALTH_PORT".to_owned(), port.to_string());
        }
    }
    variables
}
