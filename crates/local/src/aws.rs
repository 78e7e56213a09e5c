//! `local aws`: the AWS account alone, for the AWS CLI, for programs under a debugger, and for
//! containers.

use std::{
    io::Write as _,
    net::{IpAddr, SocketAddr},
    process::ExitCode,
};

use account::{
    endpoint,
    provision::{Account, Target, provision_deployment},
};
use anyhow::Context as _;
use deployment::copilot;
use pubsub::{health, shutdown};

use crate::up::Files;

/// What `aws` can be told.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The port to listen on; 0 for a free one
    #[arg(long, default_value_t = 4566)]
    port: u16,
    /// The address to listen on: 0.0.0.0 lets other machines and containers in
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// The host by which others reach this one, for the URLs of queues
    #[arg(long, value_name = "NAME", default_value = "127.0.0.1")]
    public_host: String,
    /// A loopback port that answers as soon as all of the account is made; the image has 8080
    #[arg(long, value_name = "PORT")]
    health_port: Option<u16>,
    /// Asks the account that runs here on --health-port, instead of running one
    #[arg(long, requires = "health_port")]
    healthcheck: bool,
    #[command(flatten)]
    files: Files,
}

const HEALTH_PATH: &str = "/";

/// Serves until Ctrl-C or SIGTERM, or asks one that does.
///
/// # Errors
///
/// What keeps it from starting, or what the one that runs lacks.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let (true, Some(port)) = (args.healthcheck, args.health_port) {
        println!("{}", health::check(port, HEALTH_PATH).await?);
        return Ok(ExitCode::SUCCESS);
    }
    let shutdown = shutdown::on_signal()?;
    let deployment = copilot::read(&args.files.copilot(), &args.files.environment)?;
    let endpoint = endpoint::start(&endpoint::Settings {
        listen: SocketAddr::new(args.host, args.port),
        public_host: args.public_host,
        region: endpoint::region(),
    })
    .await?;
    let target = Target { endpoint_url: endpoint.url.clone(), region: endpoint::region() };
    let account = provision_deployment(&deployment, &target).await?;
    if let Some(port) = args.health_port {
        let listener = health::listen("--health-port", port).await?;
        tokio::spawn(health::serve(listener, || Ok("everything is made".to_owned())));
    }
    anstream::stdout().write_all(usage(&account, &target).as_bytes()).context("printing")?;
    shutdown.cancelled().await;
    endpoint.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// What to type next.
fn usage(account: &Account, target: &Target) -> String {
    let mut text = "# What each service finds in its environment:\n".to_owned();
    let shared = target.variables();
    for service in &account.services {
        text += &format!("\n# {}\n", service.name);
        for (name, value) in &service.variables {
            if !shared.contains_key(name) {
                text += &format!("{name}='{value}'\n");
            }
        }
    }
    text += "\n# For all of them, and for the AWS CLI (aws sqs list-queues, say):\n";
    for (name, value) in shared {
        text += &format!("export {name}='{value}'\n");
    }
    text
}
