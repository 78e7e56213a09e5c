//! `local` and `local up`: starts everything, prints the logs, and stops everything.

use std::{
    collections::BTreeMap,
    env,
    path::PathBuf,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use account::provision::ENVIRONMENT;
use anyhow::Context as _;
use hyper::Uri;
use local::{
    build,
    system::{DEFAULT_AWS_PORT, Settings, System, free_port},
};
use pubsub::{
    env::Misconfigured,
    shutdown::{self, Signals},
};
use tokio::{sync::mpsc::unbounded_channel, time::sleep};

use crate::printer;

/// Keeps a service that exits again and again from filling the terminal.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Settings for a laptop, unless the environment says otherwise: fulfilment takes its time, so that
/// it can be watched, and shows the customer's name.
const LAPTOP: [(&str, &str); 2] = [("PACE_MS", "1000"), ("BANNER", "on")];
/// The variables that reach the services if they are set.
const PASSED_ON: [&str; 2] = ["OTEL_", "RUST_LOG"];

/// The options of `up`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The port of the page; 0 takes a free one
    #[arg(long, env = "PORT", default_value_t = 5000)]
    port: u16,
    /// The port of the AWS endpoint; 0 takes a free one [default: 4566, or a free one if in use]
    #[arg(long)]
    aws_port: Option<u16>,
    #[command(flatten)]
    files: Files,
}

/// The files that describe the account.
#[derive(clap::Args, Clone, Debug)]
pub struct Files {
    /// The environment, one of copilot/environments
    #[arg(long = "env", value_name = "NAME", default_value = ENVIRONMENT)]
    pub environment: String,
    /// The directory with the Copilot files [default: the workspace's]
    #[arg(long, value_name = "DIR")]
    copilot: Option<PathBuf>,
}

impl Files {
    /// The directory with the Copilot files.
    pub fn copilot(&self) -> PathBuf {
        (self.copilot.clone()).unwrap_or_else(build::copilot_directory)
    }
}

/// The AWS endpoint that the environment names, if any.
///
/// # Errors
///
/// [`Misconfigured`] if it is not a URL.
pub fn endpoint_url() -> Result<Option<String>, Misconfigured> {
    const VARIABLE: &str = "AWS_ENDPOINT_URL";
    let Some(url) = env::var(VARIABLE).ok().filter(|url| !url.is_empty()) else {
        return Ok(None);
    };
    let is_url =
        (url.parse::<Uri>()).is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    if is_url {
        return Ok(Some(url));
    }
    Err(Misconfigured(format!(
        "{VARIABLE} is {url:?}, but should be a URL such as http://127.0.0.1:4566"
    )))
}

/// Runs the system until Ctrl-C or SIGTERM.
///
/// # Errors
///
/// If it cannot start, or a service did not exit cleanly.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Signals { asked, insisted } = shutdown::signals()?;
    let (lines, received) = unbounded_channel();
    let printer = tokio::spawn(printer::print(received));
    let settings = Settings {
        copilot: args.files.copilot(),
        binaries: build::binaries().await?,
        environment: args.files.environment,
        endpoint_url: endpoint_url()?,
        aws_port: args.aws_port.unwrap_or_else(default_aws_port),
        port: args.port,
        variables: variables(),
    };
    let foreign = settings.endpoint_url.clone();
    let mut system =
        System::start(settings, lines.clone()).await.map_err(|error| match foreign {
            Some(url) => error.context(format!(
                "AWS_ENDPOINT_URL is {url}; unset it to use an account in this process"
            )),
            None => error,
        })?;
    let outcome = tokio::select! {
        () = asked.cancelled() => Ok(None),
        outcome = watch(&mut system, &lines) => outcome,
    };
    if asked.is_cancelled() && !system.is_embedded() {
        let what = "stopping: workers let their long polls end, which takes up to 20 s";
        printer::say(&lines, what.to_owned());
    }
    // Dropping the system kills the remaining processes.
    let stopped = insisted.run_until_cancelled(system.stop()).await;
    drop(lines);
    printer.await.context("printing")?;
    let exited = outcome?;
    let Some(stopped) = stopped else {
        return Ok(ExitCode::from(shutdown::INTERRUPTED));
    };
    stopped?;
    Ok(exited.map_or(ExitCode::SUCCESS, exit_code))
}

/// Where `local dead-letters` looks for the account.
fn default_aws_port() -> u16 {
    if free_port(DEFAULT_AWS_PORT).is_ok() { DEFAULT_AWS_PORT } else { 0 }
}

/// The variables that every service gets from here.
fn variables() -> BTreeMap<String, String> {
    let laptop = LAPTOP.map(|(name, default)| {
        (name.to_owned(), env::var(name).unwrap_or_else(|_| default.to_owned()))
    });
    let passed_on = |name: &str| PASSED_ON.iter().any(|prefix| name.starts_with(prefix));
    let set = env::vars().filter(|(name, value)| passed_on(name) && !value.is_empty());
    set.chain(laptop).collect()
}

/// Waits until the page answers, prints its URL, and then restarts services that exit, as ECS does.
///
/// A service that exits before that would exit again, so its status is returned.
async fn watch(system: &mut System, lines: &printer::Lines) -> anyhow::Result<Option<ExitStatus>> {
    let healthy = system.healthy();
    tokio::select! {
        healthy = healthy => healthy?,
        (name, status) = system.exited() => {
            let status = status?;
            printer::say(lines, format!("{name} exited before the page answered: {status}"));
            return Ok(Some(status));
        }
    }
    let (page, aws) = (&system.url, &system.target.endpoint_url);
    printer::say(lines, format!("AWS is at {aws}; Ctrl-C stops everything"));
    printer::say(lines, format!("the page is at {page}"));
    loop {
        let (name, status) = system.exited().await;
        printer::say(lines, format!("{name} exited ({}); restarting it", status?));
        sleep(RESTART_DELAY).await;
        system.start_service(&name)?;
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    match code {
        None | Some(0) => ExitCode::FAILURE,
        Some(code) => ExitCode::from(code),
    }
}
