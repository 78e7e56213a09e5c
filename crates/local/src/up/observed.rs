//! The console beside the system, and the receiver of the spans that it shows.

use std::{
    collections::BTreeMap,
    env,
    net::{IpAddr, Ipv4Addr},
};

use account::proxy::weather;
use console::{
    Console, Listen, Sources,
    logs::Logs,
    otlp::Receiver,
    processes::{self, Supervisor},
};
use local::system::System;

/// The port of the console unless another is asked for.
const PORT: u16 = 5050;
/// The variable by which a service finds a collector. Who sets it has one.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// How often a service exports its spans, in milliseconds: a person waits for them.
const EXPORT_EVERY: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "500");

/// The options of the console.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)] // groups share one namespace
pub struct Args {
    /// Do not serve the console
    #[arg(long)]
    no_console: bool,
    /// The port of the console; 0 takes a free one [default: 5050, or a free one if in use]
    #[arg(long, value_name = "PORT", conflicts_with = "no_console")]
    console_port: Option<u16>,
}

/// A console, and what a person wants of the services.
#[derive(Debug)]
pub struct Observed {
    /// The console.
    pub console: Console,
    /// What runs, and what is wanted.
    pub supervisor: Supervisor,
    _receiver: Option<Receiver>,
}

impl Args {
    /// Starts a receiver of spans and gives it to the services, if there is a console and no other
    /// collector.
    ///
    /// # Errors
    ///
    /// If it cannot listen.
    pub async fn receiver(
        &self,
        variables: &mut BTreeMap<String, String>,
    ) -> anyhow::Result<Option<Receiver>> {
        if self.no_console || env::var_os(COLLECTOR).is_some() {
            return Ok(None);
        }
        let receiver = Receiver::start(Ipv4Addr::LOCALHOST.into(), 0).await?;
        variables.insert(COLLECTOR.to_owned(), receiver.url.clone());
        let (name, every) = EXPORT_EVERY;
        variables.entry(name.to_owned()).or_insert_with(|| every.to_owned());
        Ok(Some(receiver))
    }

    /// Starts a console that shows `system`.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](pubsub::env::Misconfigured) if its port cannot be used.
    pub async fn observe(
        &self,
        system: &System,
        receiver: Option<Receiver>,
        logs: Logs,
    ) -> anyhow::Result<Option<Observed>> {
        if self.no_console {
            return Ok(None);
        }
        let (processes, supervisor) = processes::channel();
        let sources = Sources {
            account: system.account.clone(),
            target: system.target.clone(),
            ledger: system.ledger(),
            weather: system.proxy().map(|proxy| format!("{}{}", proxy.url, weather::PATH)),
            page: Some(system.url.clone()),
            processes: Some(processes),
            logs: Some(logs),
            spans: receiver.as_ref().map(|receiver| receiver.spans.clone()),
        };
        let host = IpAddr::from(Ipv4Addr::LOCALHOST);
        let on = |port| Console::start(Listen { host, port }, sources.clone());
        let console = match self.console_port {
            Some(port) => on(port).await?,
            None => match on(PORT).await {
                Ok(console) => console,
                Err(_) => on(0).await?,
            },
        };
        Ok(Some(Observed { console, supervisor, _receiver: receiver }))
    }
}
