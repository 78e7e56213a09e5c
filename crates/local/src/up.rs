//! `local` and `local up`: starts everything, prints the logs, and stops everything.

use std::{
    env,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use account::{
    endpoint::region,
    provision::{ENVIRONMENT, Target},
};
use anyhow::Context as _;
use console::logs::Logs;
use deployment::{Deployment, Mistake, description::Kind};
use jiff::SignedDuration;
use local::{
    build, guard, port,
    running::files_directory,
    secrets::Secrets,
    system::{DEFAULT_AWS_PORT, Settings, System},
};
use pubsub::{
    env::Misconfigured,
    shutdown::{self, Signals},
};
mod built;

mod edits;

mod endpoint;

mod observed;

mod supervise;

mod to_zero;

mod outside;

mod variables;

mod watch;

use crate::terminal::{Lines, READY, Ready, Style, Terminal};
use built::Built;
use edits::Edits;
use observed::Observed;
use to_zero::ToZero;
use watch::{Shown, Watched, watch};

/// The folder of an application with the files of AWS Copilot.
const COPILOT: &str = "copilot";

/// The options of `up`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The port of the page; 0 takes a free one
    #[arg(long, env = "PORT", default_value_t = 5000)]
    port: u16,
    /// The address of the page; 0.0.0.0 is reachable from other machines
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::from(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The port of the AWS endpoint; 0 takes a free one [default: 4566, or a free one if in use]
    #[arg(long)]
    aws_port: Option<u16>,
    /// The directory of another system of this workspace, such as examples/receipts, whose files
    /// are in its copilot [default: the order system]
    #[arg(long, value_name = "DIR", conflicts_with = "from")]
    app: Option<PathBuf>,
    #[command(flatten)]
    console: observed::Args,
    #[command(flatten)]
    habits: Habits,
    /// Do not start this service, to run it in a debugger; may be repeated
    #[arg(long, value_name = "SERVICE")]
    without: Vec<String>,
    /// Write the variables of the one service that was left out to this file
    #[arg(long, value_name = "PATH", requires = "without")]
    env_file: Option<PathBuf>,
    /// Do not build and replace a service when its sources change
    #[arg(long)]
    no_watch: bool,
    /// Start a worker when something waits in its queue, and stop it after this time without a
    /// message [default: 1m]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "1m")]
    to_zero: Option<SignedDuration>,
    /// Show only warnings and errors of the services
    #[arg(long)]
    quiet: bool,
    /// Print each event as a JSON object
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    #[command(flatten)]
    files: Files,
}

/// The habits of the account.
#[derive(clap::Args, Clone, Debug)]
pub struct Habits {
    /// Give the account the habits of AWS, such as copies and late messages [default seed: 1]
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "1")]
    pub like_aws: Option<u64>,
}

/// The files that describe the account.
#[derive(clap::Args, Clone, Debug)]
pub struct Files {
    /// The environment, one of copilot/environments
    #[arg(long = "env", value_name = "NAME", default_value = ENVIRONMENT)]
    pub environment: String,
    /// The directory with the files, copilot or infrastructure [default: the workspace's copilot]
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
}

impl Files {
    /// The directory with the files.
    pub fn directory(&self) -> PathBuf {
        build::files_directory(self.from.as_deref())
    }

    /// What they describe, or without them, what describes the system that runs.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`] in them.
    pub fn read_running(&self) -> Result<Deployment, Mistake> {
        deployment::read(&files_directory(self.from.as_deref()), &self.environment)
    }

    /// What they describe.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`] in them.
    pub fn read(&self) -> Result<Deployment, Mistake> {
        deployment::read(&self.directory(), &self.environment)
    }
}

/// Runs the system until Ctrl-C or SIGTERM.
///
/// # Errors
///
/// If it cannot start, or a service did not exit cleanly.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.env_file.is_some() && args.without.len() > 1 {
        return Err(Misconfigured("--env-file takes one --without".to_owned()).into());
    }
    let Signals { asked, insisted } = shutdown::signals()?;
    let style = if args.json { Style::Json } else { Style::Text { quiet: args.quiet } };
    let terminal = Terminal::start(style);
    let logs = Logs::default();
    let shown = logs.clone();
    let lines = terminal.lines().shown_to(move |line| shown.push(&line.service, &line.text));
    let started = asked.run_until_cancelled(start(&args, &lines, logs)).await;
    let Some(started) = started else {
        // Dropping what has started kills it.
        return Ok(ExitCode::from(shutdown::INTERRUPTED));
    };
    // The services export their last spans while they stop, so it is dropped last.
    let (mut system, edits, mut observed) = match started {
        Ok(started) => started,
        Err(error) => {
            drop(lines);
            terminal.finish().await;
            return Err(error);
        }
    };
    let ready = ready(&system, &args, edits.is_some(), observed.as_ref())?;
    let to_zero = match args.to_zero {
        Some(idle) => {
            let idle = Duration::try_from(idle).context("--to-zero is negative")?;
            Some(ToZero::of(&system, &workers(&system, &args.without), idle).await)
        }
        None => None,
    };
    let watched = Watched { edits, observed: observed.as_mut(), to_zero };
    let watched = watch(&mut system, &ready, watched, &lines);
    let outcome = asked.run_until_cancelled(watched).await;
    if asked.is_cancelled() && !system.is_embedded() {
        lines.say("stopping: workers let their long polls end");
    }
    // Dropping the system kills the remaining processes.
    let stopped = insisted.run_until_cancelled(system.stop()).await;
    guard::dismiss();
    drop(lines);
    let _ = insisted.run_until_cancelled(terminal.finish()).await;
    let exited = outcome.transpose()?;
    let Some(stopped) = stopped else {
        return Ok(ExitCode::from(shutdown::INTERRUPTED));
    };
    stopped?;
    Ok(exited.map_or(ExitCode::SUCCESS, exit_code))
}

/// Builds and starts everything, and begins to watch the sources.
async fn start(
    args: &Args,
    lines: &Lines,
    logs: Logs,
) -> anyhow::Result<(System, Option<Edits>, Option<Observed>)> {
    let endpoint_url = endpoint::from_environment()?;
    if let Some(url) = &endpoint_url {
        if args.habits.like_aws.is_some() {
            let what = "--like-aws is for the account in this process; unset AWS_ENDPOINT_URL";
            return Err(Misconfigured(what.to_owned()).into());
        }
        endpoint::answers(url).await?;
    }
    let files = match &args.app {
        Some(app) => build::files_directory(Some(&app.join(COPILOT))),
        None => args.files.directory(),
    };
    let (environment, is_other) = (&args.files.environment, args.app.is_some());
    let asleep = match args.to_zero {
        Some(_) => deployment::read(&files, &args.files.environment)?.services,
        None => Vec::new(),
    };
    let asleep = asleep.into_iter().filter(|it| it.kind == Kind::Worker).map(|it| it.name);
    let built = Built::of(&files, environment, &args.without, is_other).await?;
    let binaries = build::binaries_of(&built.which).await?;
    let mut variables = variables::of_every_service();
    let prepared = args.console.prepare(&mut variables).await?;
    let settings = Settings {
        files: files.clone(),
        binaries: binaries.clone(),
        environment: args.files.environment.clone(),
        endpoint: endpoint_url.clone().map(|url| Target::elsewhere(url, region())),
        aws_port: args.aws_port.unwrap_or_else(default_aws_port),
        like_aws: args.habits.like_aws,
        port: args.port,
        host: args.host,
        without: args.without.iter().cloned().chain(asleep).collect(),
        variables,
        secrets: Secrets::of_this_machine(),
        changing_weather: true,
    };
    let system = System::start(settings, lines.0.clone()).await;
    let system = system.map_err(|error| endpoint::blame(error, endpoint_url.as_deref()))?;
    if let Some(file) = &args.env_file {
        outside::write(&system, args.without.first().context("nothing is left out")?, file)?;
    }
    let observed = match prepared {
        Some(prepared) => Some(prepared.observe(&system, logs).await),
        None => None,
    };
    if args.no_watch || env::var_os("CARGO").is_none() {
        return Ok((system, None, observed));
    }
    let files = files.canonicalize().context("finding the files of the account")?;
    let edits = Edits::watch(&binaries, &files, built, lines.clone(), !args.json).await;
    // The system is worth having without this, as when the limit of watched files is reached.
    let edits = edits.inspect_err(|error| lines.warn(format!("edits are not noticed: {error:#}")));
    Ok((system, edits.ok(), observed))
}

/// Where `local dead-letters` looks for the account.
fn default_aws_port() -> u16 {
    let loopback = Ipv4Addr::LOCALHOST.into();
    if port::free(DEFAULT_AWS_PORT, loopback).is_ok() { DEFAULT_AWS_PORT } else { 0 }
}

/// The workers that are not left out.
fn workers(system: &System, without: &[String]) -> Vec<String> {
    let services = system.account.services.iter().filter(|it| it.kind == Kind::Worker);
    let names = services.map(|service| service.name.clone());
    names.filter(|name| !without.contains(name)).collect()
}

fn ready(
    system: &System,
    args: &Args,
    watches: bool,
    observed: Option<&Observed>,
) -> anyhow::Result<Shown> {
    let is_outside = |name: &String| args.without.contains(name);
    let (without, services): (Vec<_>, Vec<_>) = system.names().into_iter().partition(is_outside);
    let under_cargo = env::var_os("CARGO").is_some();
    let outside = without.iter().map(|name| match &args.env_file {
        Some(file) => Ok(format!("the variables of {name} are in {}", file.display())),
        None => outside::exports(system, name),
    });
    let mut outside = outside.collect::<anyhow::Result<Vec<_>>>()?;
    if args.to_zero.is_some() {
        outside.push("the workers start when something waits in their queues".to_owned());
    }
    let screen = Ready {
        message: READY.to_owned(),
        application: system.account.application.clone(),
        takes_orders: system.takes_orders(),
        page: system.url.clone(),
        aws: system.target.endpoint_url.clone(),
        console: observed.map(|it| it.console.url.clone()),
        is_embedded: system.is_embedded(),
        services,
        without,
        watches,
        command: if under_cargo { "cargo run -p local -- " } else { "local " }.to_owned(),
    };
    Ok(Shown { screen, outside })
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    match code {
        None | Some(0) => ExitCode::FAILURE,
        Some(code) => ExitCode::from(code),
    }
}
