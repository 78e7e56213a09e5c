//! A service's way from `main` to its exit code, the same for all three.

use std::{future::Future, process::ExitCode};

use tokio_util::sync::CancellationToken;

use crate::{env::Misconfigured, health, shutdown, telemetry};

/// Wrong use or a wrong setting (`EX_USAGE` of `sysexits.h`): starting again would not help.
const EXIT_USAGE: u8 = 64;
const EXIT_FAILURE: u8 = 1;

/// The variable that the images have it from.
const REVISION: (&str, &str) = ("REVISION", "the revision of the source, for the log (none)");

/// What a service says of itself.
pub struct Program {
    /// The name of the binary and of the Copilot service.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// The variable that holds the port its health is asked on, and that port if it is not set.
    pub health_port: (&'static str, u16),
    /// The path its health is asked on.
    pub health_path: &'static str,
    /// The variables it reads beside `RUST_LOG`: name, meaning and default.
    pub variables: &'static [(&'static str, &'static str)],
}

/// Runs a service: `serve` until it ends, or one of the arguments `healthcheck`, `--version` and
/// `--help`.
///
/// The exit code is 0 for a clean end, 64 for a wrong argument or setting (it would fail the same
/// way again), and 1 for anything else.
pub fn run<F>(program: &Program, serve: impl FnOnce(CancellationToken) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => exit_code(block_on(async {
            let telemetry = telemetry::start(program.name)?;
            let (version, revision) = (program.version, revision());
            tracing::info!(version, revision, "{} starts", program.name);
            let served = serve(shutdown::on_signal()?).await;
            telemetry.stop().await;
            served?;
            tracing::info!("{} ended cleanly", program.name);
            Ok(())
        })),
        ["healthcheck"] => exit_code(block_on(check_health(program))),
        ["--version" | "-V"] => {
            let revision = revision().map(|revision| format!(" ({revision})"));
            println!("{} {}{}", program.name, program.version, revision.unwrap_or_default());
            ExitCode::SUCCESS
        }
        ["--help" | "-h"] => {
            println!("{}", help(program));
            ExitCode::SUCCESS
        }
        _ => {
            let known = "healthcheck, --version and --help";
            eprintln!("{}: {:?} is not understood; there are {known}", program.name, arguments);
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn revision() -> Option<String> {
    std::env::var(REVISION.0).ok().filter(|revision| !revision.is_empty())
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

async fn check_health(program: &Program) -> anyhow::Result<()> {
    let (variable, default) = program.health_port;
    let port = crate::env::parsed(variable, default, "a port number")?;
    println!("{}", health::check(port, program.health_path).await?);
    Ok(())
}

fn help(program: &Program) -> String {
    let Program { name, about, variables, .. } = program;
    let mut help = format!(
        "{about}\n\nUsage: {name} [healthcheck | --version | --help]\n\n\
         Without an argument it serves until SIGTERM or Ctrl-C; `healthcheck` asks the one that\n\
         runs here whether it is well.\n\nVariables:"
    );
    for (variable, meaning) in variables.iter().chain(&telemetry::VARIABLES).chain([&REVISION]) {
        help += &format!("\n  {variable:<27}  {meaning}");
    }
    help
}

fn exit_code(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(if error.is::<Misconfigured>() { EXIT_USAGE } else { EXIT_FAILURE })
        }
    }
}
