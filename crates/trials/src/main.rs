//! `trials`: tests of the whole system that take longer than `cargo test` should.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use deployment::Mistake;
use pubsub::env::Misconfigured;
use trials::{bench, chaos, contract, pages, prices};

/// Wrong usage or a mistake in a file: running it again would not help.
const EXIT_USAGE: u8 = 64;

/// Tests of the whole system: fault injection, the benchmark, the contract of the events, and the
/// scaling.
///
/// Exits with 0 if the test passes, with 1 if it fails, and with 64 if an option or a file is
/// wrong.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Kills services while AWS calls fail, then checks that no order was lost
    Chaos(chaos::Args),
    /// Measures throughput, latency, memory, requests to AWS and their price (use --release)
    Bench(bench::Args),
    /// Writes docs/events from the types of the events and the manifests, and says what would break
    /// for subscribers of the last release
    Contract(contract::Args),
    /// Runs the scaling of the workers on a virtual clock, and writes docs/scaling.md and
    /// docs/costs.md
    Scaling(pages::Args),
    /// Computes what a month costs, and writes docs/costs.md
    Prices(prices::Args),
    /// Empties a queue, for the benchmark
    #[command(hide = true)]
    Worker,
    /// Stores items, for the benchmark
    #[command(hide = true)]
    Store,
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
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("trials: {error:#}");
            let is_mistake = error.is::<Mistake>() || error.is::<Misconfigured>();
            if is_mistake { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE }
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Chaos(args) => chaos::run(&args).await,
        Command::Bench(args) => {
            let lost_none = bench::run(&args).await?;
            Ok(if lost_none { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Contract(args) => contract::run(&args).await,
        Command::Scaling(args) => pages::run(&args),
        Command::Prices(args) => prices::run(&args),
        Command::Worker => bench::worker().await.map(|()| ExitCode::SUCCESS),
        Command::Store => bench::store().await.map(|()| ExitCode::SUCCESS),
    }
}
