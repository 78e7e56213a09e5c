//! `local aws`: the AWS account alone, for the AWS CLI, for a debugger, and for containers.

use std::{io::Write as _, process::ExitCode};

use account::{provision::Target, proxy::Proxy};
use anyhow::Context as _;
use pubsub::{health, shutdown};

mod served;

use crate::{forecast::Forecast, up::Files};
use served::Served;

/// The options of `aws`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    served: served::Args,
    /// A loopback port that answers once all resources exist
    #[arg(long, value_name = "PORT")]
    health_port: Option<u16>,
    /// Ask the account that answers on --health-port, instead of running one
    #[arg(long, requires = "health_port")]
    healthcheck: bool,
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
    let served = Served::start(&args.served, &deployment).await?;
    if let Some(port) = args.health_port {
        let listener = health::listen("--health-port", port).await?;
        tokio::spawn(health::serve(listener, || Ok("all resources exist".to_owned())));
    }
    anstream::stdout().write_all(usage(&served).as_bytes()).context("printing")?;
    shutdown.run_until_cancelled(announce(served.proxy.as_ref())).await;
    served.endpoint.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Says for ever when the weather changes.
async fn announce(proxy: Option<&Proxy>) {
    let mut forecast = Forecast::default();
    if let Some(proxy) = proxy
        && let Some(mut weather) = proxy.weather()
    {
        while weather.changed().await.is_ok() {
            let now = weather.borrow_and_update().clone();
            let met = proxy.counts().faults.values().sum();
            for news in forecast.news(now, met) {
                // The weather changes, whether or not somebody reads of it.
                let _ = writeln!(anstream::stdout(), "{news}");
            }
        }
    }
    std::future::pending().await
}

/// The variables of each service, to paste into a shell.
fn usage(Served { account, target, exports, .. }: &Served) -> String {
    let mut text = "# The variables of each service:\n".to_owned();
    let mut shared = target.variables();
    shared.extend(exports.iter().cloned());
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
