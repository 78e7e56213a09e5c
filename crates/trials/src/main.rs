//! `trials`: what the system is held to, as commands.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use deployment::Mistake;
use pubsub::env::Misconfigured;
use trials::{bench, chaos};

/// Wrong usage, or a mistake in a file: running it again would not help.
const EXIT_USAGE: u8 = 64;

/// Tests of the whole system that take longer than a test may: fault injection and the benchmark.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fault-injection test: kills services while AWS calls fail, then audits that nothing was lost
    Chaos(chaos::Args),
    /// Benchmark: throughput, latency, memory, requests and cost (use --release)
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    match run(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            anstream::eprintln!("trials: {error:#}");
            let to_fix = error.is::<Mistake>() || error.is::<Misconfigured>();
            if to_fix { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE }
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    match arguments.command {
        Command::Chaos(args) => chaos::run(&args).await,
        Command::Bench(args) => bench::run(&args).await,
    }
}
