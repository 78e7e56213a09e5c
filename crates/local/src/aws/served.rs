//! An account, and beside it the console if one is wanted.
//!
//! With a console, the services reach the account through a proxy, at which the console changes the
//! weather. The console itself and the account's own port stay out of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use account::{
    endpoint::{self, Endpoint},
    provision::{Account, Target, provision_deployment},
    proxy::{Conditions, Proxy, WEATHER_PATH},
};
use anyhow::Context as _;
use console::{Console, Port, Sources, otlp::Receiver};
use deployment::Deployment;
use local::system::DEFAULT_AWS_PORT;

use crate::{export, up::Habits};

/// Where an account listens, and what is beside it.
#[derive(clap::Args, Debug)]
#[group(skip)] // groups share one namespace
pub struct Args {
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = DEFAULT_AWS_PORT)]
    port: u16,
    /// The address to listen on; 0.0.0.0 is reachable from other machines and containers
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// The host name by which the services reach this machine
    #[arg(long, value_name = "NAME", default_value = "127.0.0.1")]
    public_host: String,
    /// The port of a console, on the same address; without it there is none, and the weather of the
    /// account does not change
    #[arg(long, value_name = "PORT")]
    console_port: Option<u16>,
    /// The URL of the publisher, to which the console sends orders
    #[arg(long, value_name = "URL", requires = "console_port")]
    publisher: Option<String>,
    /// The same URL for a browser, to which the console links [default: that of --publisher]
    #[arg(long, value_name = "URL", requires = "publisher")]
    publisher_page: Option<String>,
    /// The port that takes spans of the services for the console, on the same address; without it
    /// there are no traces
    #[arg(long, value_name = "PORT", requires = "console_port")]
    otlp_port: Option<u16>,
    #[command(flatten)]
    habits: Habits,
}

/// What serves, until it is dropped.
pub struct Served {
    /// The resources.
    pub account: Account,
    /// How the services reach them.
    pub target: Target,
    /// The account.
    pub endpoint: Endpoint,
    /// What is in front of it.
    pub proxy: Option<Proxy>,
    /// The variables by which the services export their spans.
    pub exports: Vec<(String, String)>,
    _console: Option<Console>,
    _receiver: Option<Receiver>,
}

impl Served {
    /// Starts everything.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](pubsub::env::Misconfigured) if a port is in use.
    pub async fn start(args: &Args, deployment: &Deployment) -> anyhow::Result<Self> {
        let (endpoint, proxy) = account(args).await?;
        let target = endpoint.target();
        let account = provision_deployment(deployment, &target).await?;
        let receiver = match args.otlp_port {
            Some(port) => {
                let address = SocketAddr::new(args.host, port);
                Some(Receiver::start(address, &args.public_host).await?)
            }
            None => None,
        };
        let console = match args.console_port {
            Some(port) => Some(Port::take(args.host, port).await?),
            None => None,
        };
        let exports = receiver.as_ref().zip(console.as_ref());
        let exports = exports.map(|(receiver, console)| export::to(receiver, &console.url).into());
        let console = match console {
            Some(port) => {
                let sources = Sources {
                    account: account.clone(),
                    target: endpoint.target_through(&format!("http://{}", endpoint.address)),
                    ledger: Some(endpoint.ledger()),
                    weather: proxy.as_ref().map(|it| format!("{}{WEATHER_PATH}", it.url)),
                    page: args.publisher.clone(),
                    page_in_browser: args.publisher_page.clone().or_else(|| args.publisher.clone()),
                    processes: None,
                    logs: None,
                    spans: receiver.as_ref().map(|receiver| receiver.spans.clone()),
                };
                Some(Console::start(port, sources).await)
            }
            None => None,
        };
        let exports = exports.unwrap_or_default();
        let (_console, _receiver) = (console, receiver);
        Ok(Self { account, target, endpoint, proxy, exports, _console, _receiver })
    }
}

/// An empty account, and if there is a console, the proxy through which others reach it.
async fn account(args: &Args) -> anyhow::Result<(Endpoint, Option<Proxy>)> {
    let public = SocketAddr::new(args.host, args.port);
    let settings = |listen, public_port| endpoint::Settings {
        listen,
        public_host: args.public_host.clone(),
        public_port,
        habits: args.habits.like_aws,
        ..endpoint::Settings::loopback(args.port)
    };
    if args.console_port.is_none() {
        return Ok((endpoint::start(&settings(public, None)).await?, None));
    }
    let listener = endpoint::listen(public).await?;
    let port = listener.local_addr().context("reading the port")?.port();
    let behind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let endpoint = endpoint::start(&settings(behind, Some(port))).await?;
    let conditions = Conditions { changing: Some(endpoint.twice()), ..Conditions::default() };
    let proxy = Proxy::on(listener, &format!("http://{}", endpoint.address), conditions)?;
    Ok((endpoint, Some(proxy)))
}
