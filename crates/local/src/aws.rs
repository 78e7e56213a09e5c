//! `local aws`: the AWS account alone, for the AWS CLI, for a debugger, and for containers.

use std::{
    io::Write as _,
    net::{IpAddr, SocketAddr},
    process::ExitCode,
};

use account::{
    embedded::EmbeddedAccount,
    endpoint,
    provision::{Account, Target},
};
use anyhow::Context as _;
use console::{Console, Port, Sources};
use local::system::DEFAULT_AWS_PORT;
use pubsub::{health, shutdown};

use crate::up::{Files, Habits};

/// The options of `aws`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = DEFAULT_AWS_PORT)]
    port: u16,
    /// The address to listen on; 0.0.0.0 is reachable from other machines and containers
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// The host name of this machine in queue URLs
    #[arg(long, value_name = "NAME", default_value = "127.0.0.1")]
    public_host: String,
    /// The port of a console, on the same address; without it there is none
    #[arg(long, value_name = "PORT")]
    console_port: Option<u16>,
    /// The URL of the publisher, to which the console sends orders
    #[arg(long, value_name = "URL", requires = "console_port")]
    publisher: Option<String>,
    /// A loopback port that answers once all resources exist
    #[arg(long, value_name = "PORT")]
    health_port: Option<u16>,
    /// Ask the account that answers on --health-port, instead of running one
    #[arg(long, requires = "health_port")]
    healthcheck: bool,
    #[command(flatten)]
    habits: Habits,
    #[command(flatten)]
    files: Files,
}

const HEALTH_PATH: &str = "/";

/// Serves until Ctrl-C or SIGTERM, or asks a running account whether it is healthy.
///
/// # Errors
///
/// If it cannot start, or the running account is not healthy.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let (true, Some(port)) = (args.healthcheck, args.health_port) {
        println!("{}", health::check(port, HEALTH_PATH).await?);
        return Ok(ExitCode::SUCCESS);
    }
    let shutdown = shutdown::on_signal()?;
    let deployment = args.files.read()?;
    let settings = endpoint::Settings {
        listen: SocketAddr::new(args.host, args.port),
        public_host: args.public_host,
        habits: args.habits.like_aws,
        ..endpoint::Settings::loopback(args.port)
    };
    let EmbeddedAccount { endpoint, target, account } =
        EmbeddedAccount::start(&deployment, &settings).await?;
    let _console = match args.console_port {
        Some(port) => {
            let port = Port::take(args.host, port).await?;
            let sources = Sources {
                account: account.clone(),
                target: target.clone(),
                ledger: Some(endpoint.ledger()),
                weather: None,
                page: args.publisher,
                processes: None,
                logs: None,
                spans: None,
            };
            Some(Console::start(port, sources).await)
        }
        None => None,
    };
    if let Some(port) = args.health_port {
        let listener = health::listen("--health-port", port).await?;
        tokio::spawn(health::serve(listener, || Ok("all resources exist".to_owned())));
    }
    anstream::stdout().write_all(usage(&account, &target).as_bytes()).context("printing")?;
    shutdown.cancelled().await;
    endpoint.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The variables of each service, to paste into a shell.
fn usage(account: &Account, target: &Target) -> String {
    let mut text = "# The variables of each service:\n".to_owned();
    let shared = target.variables();
    let administrator = Target::administrator();
    for service in &account.services {
        text += &format!("\n# {}\n", service.name);
        for (name, value) in &service.variables {
            if !shared.contains_key(name) {
                text += &format!("{name}='{value}'\n");
            }
        }
    }
    text += "\n# For all services, and for the AWS CLI (such as aws sqs list-queues):\n";
    for (name, value) in shared {
        text += &format!("export {name}='{value}'\n");
    }
    text += "\n# For the AWS CLI alone: the administrator, who may do everything:\n";
    for (name, value) in administrator {
        text += &format!("export {name}='{value}'\n");
    }
    text
}
