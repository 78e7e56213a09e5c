//! The console beside the system, and the receiver of the spans that it shows.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use account::proxy::WEATHER_PATH;
use console::{
    Console, Port, Sources,
    logs::Logs,
    otlp::Receiver,
    processes::{self, Supervisor},
};
use local::{port, system::System};

use crate::export::{self, COLLECTOR};

/// The port of the console unless another is asked for.
const PORT: u16 = 5050;

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

/// What the services have to know before they start.
#[derive(Debug)]
pub struct Prepared {
    port: Port,
    receiver: Option<Receiver>,
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
    /// Takes a port for the console, and starts a receiver of spans if there is no other collector.
    /// The services get the addresses by their `variables`.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](pubsub::env::Misconfigured) if the port cannot be used.
    pub async fn prepare(
        &self,
        variables: &mut BTreeMap<String, String>,
    ) -> anyhow::Result<Option<Prepared>> {
        if self.no_console {
            return Ok(None);
        }
        let host = IpAddr::from(Ipv4Addr::LOCALHOST);
        let port = match self.console_port {
            Some(port) => Port::take(host, port::free(port, host)?).await?,
            None => match Port::take(host, PORT).await {
                Ok(port) => port,
                Err(_) => Port::take(host, 0).await?,
            },
        };
        if variables.contains_key(COLLECTOR) {
            return Ok(Some(Prepared { port, receiver: None }));
        }
        let receiver = Receiver::start(SocketAddr::new(host, 0), &host.to_string()).await?;
        for (name, value) in export::to(&receiver, &port.url) {
            variables.entry(name).or_insert(value);
        }
        Ok(Some(Prepared { port, receiver: Some(receiver) }))
    }
}

impl Prepared {
    /// Starts the console, which shows `system`.
    pub async fn observe(self, system: &System, logs: Logs) -> Observed {
        let (processes, supervisor) = processes::channel();
        // It sends orders there.
        let page = Some(system.url.clone()).filter(|_| system.takes_orders());
        let sources = Sources {
            account: system.account.clone(),
            target: system.target.clone(),
            ledger: system.ledger(),
            weather: system.proxy().map(|proxy| format!("{}{WEATHER_PATH}", proxy.url)),
            page: page.clone(),
            page_in_browser: page,
            processes: Some(processes),
            logs: Some(logs),
            spans: self.receiver.as_ref().map(|receiver| receiver.spans.clone()),
        };
        let console = Console::start(self.port, sources).await;
        Observed { console, supervisor, _receiver: self.receiver }
    }
}
