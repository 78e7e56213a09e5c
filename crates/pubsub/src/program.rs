//! A service from `main` to its exit code. Every service works this way.

use std::{error::Error as _, future::Future, process::ExitCode};

use clap::{
    ArgMatches, Args as _, Command, Parser,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};
use tokio_util::sync::CancellationToken;

use crate::{
    env::{self, Misconfigured},
    health, shutdown, telemetry,
};

#[cfg(test)]
mod tests;

// A quarter of what an order costs is allocating. A debug build keeps the C library's allocator, so
// that tools see what is allocated.
#[cfg(all(feature = "mimalloc", not(debug_assertions)))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A wrong argument or setting (`EX_USAGE` in `sysexits.h`): a restart would not help.
const EXIT_USAGE: u8 = 64;
const EXIT_FAILURE: u8 = 1;

/// The subcommand that ECS and Docker run: the images have neither a shell nor `curl`.
const HEALTHCHECK: &str = "healthcheck";

/// Where a service answers its health check on loopback.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    /// The name of the settings' field that holds the port.
    pub port: &'static str,
    /// The path to request.
    pub path: &'static str,
}

/// Runs a service: reads its settings, starts telemetry, and calls `serve` with the settings and a
/// token that SIGTERM or Ctrl-C cancels. A second signal ends the process at once.
///
/// `S` is a `clap` parser in which every option can also be set by an environment variable. Its
/// name, version and doc comment appear in `--help`, in logs and in traces. The subcommand
/// `healthcheck` checks the instance that runs on this machine.
///
/// The exit code is 0 for a clean exit, 64 for a wrong argument or setting, 130 after a second
/// signal, and 1 for any other error. Errors are printed on standard error.
///
/// # Panics
///
/// If `S` has no field of type `u16` with a default called `health.port`, and the subcommand is
/// `healthcheck`.
pub fn run<S, F>(health: Health, serve: impl FnOnce(S, CancellationToken) -> F) -> ExitCode
where
    S: Parser,
    F: Future<Output = anyhow::Result<()>>,
{
    execute(S::command(), health, async |matches, shutdown| {
        serve(S::from_arg_matches(matches)?, shutdown).await
    })
}

/// [`run`] with a command in place of a parser.
pub(crate) fn execute(
    service: Command,
    health: Health,
    serve: impl AsyncFnOnce(&ArgMatches, CancellationToken) -> anyhow::Result<()>,
) -> ExitCode {
    let mut command = command(service);
    let matches = match command.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() => {
            eprintln!("{}: {}", command.get_name(), sentence(&command, &error));
            return ExitCode::from(EXIT_USAGE);
        }
        Err(help_or_version) => {
            let _ = help_or_version.print();
            return ExitCode::SUCCESS;
        }
    };
    let outcome = if matches.subcommand_name() == Some(HEALTHCHECK) {
        block_on(check_health(health, &matches))
    } else {
        block_on(start(&command, &matches, serve))
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", command.get_name());
            ExitCode::from(if error.is::<Misconfigured>() { EXIT_USAGE } else { EXIT_FAILURE })
        }
    }
}

async fn start(
    command: &Command,
    matches: &ArgMatches,
    serve: impl AsyncFnOnce(&ArgMatches, CancellationToken) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // Before the first line of the log: who reads it may stop the service, and that ends well.
    let shutdown = shutdown::on_signal()?;
    let name = command.get_name();
    let telemetry = telemetry::start(name, matches)?;
    let version = command.get_version();
    tracing::info!(version, "{name} starts");
    let served = serve(matches, shutdown).await;
    telemetry.stop().await;
    served?;
    tracing::info!("{name} exited cleanly");
    Ok(())
}

/// What `--help` says of a service. Groups of arguments that are added later replace it.
pub(crate) fn about<S: Parser>() -> StyledStr {
    S::command().get_about().cloned().unwrap_or_default()
}

fn command(service: Command) -> Command {
    let healthcheck =
        Command::new(HEALTHCHECK).about("Check the health of the instance on this machine");
    let about = service.get_about().cloned().unwrap_or_default();
    let mut command = telemetry::Settings::augment_args(service)
        .about(about)
        .subcommand(healthcheck)
        .subcommand_negates_reqs(true)
        .disable_help_subcommand(true)
        // A value may be a secret.
        .mut_args(|argument| argument.hide_env_values(true));
    if let Some(revision) = env::optional("REVISION") {
        let version = format!("{} ({revision})", command.get_version().unwrap_or_default());
        command = command.version(version);
    }
    command
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

async fn check_health(health: Health, matches: &ArgMatches) -> anyhow::Result<()> {
    let port = matches.get_one::<u16>(health.port).expect("the port has a default");
    println!("{}", health::check(*port, health.path).await?);
    Ok(())
}

/// The error as one sentence. It names the variable instead of the option, because manifests and
/// containers set variables.
fn sentence(command: &Command, error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    let variable = |argument: &String| {
        let known = command.get_arguments().find(|known| known.to_string() == *argument);
        let variable = known.and_then(|known| known.get_env()?.to_str());
        variable.unwrap_or(argument).to_owned()
    };
    let names: Vec<_> = text(ContextKind::InvalidArg).iter().map(variable).collect();
    let is = if names.len() == 1 { "is" } else { "are" };
    let names = names.join(", ");
    match (error.kind(), error.source()) {
        (ErrorKind::MissingRequiredArgument, _) => {
            format!("{names} {is} not set; --help says what it is")
        }
        (ErrorKind::ValueValidation, Some(why)) => {
            format!("{names} is {:?}: {why}", text(ContextKind::InvalidValue).join(", "))
        }
        _ => {
            let rendered = error.to_string();
            let first = rendered.lines().next().unwrap_or_default();
            format!("{}; see --help", first.trim_start_matches("error: "))
        }
    }
}
