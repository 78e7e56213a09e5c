//! `local`: the system on this machine, with nothing but Rust.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use deployment::Mistake;
use local::dead_letters;
use pubsub::env::Misconfigured;

mod up;

mod aws;

mod printer;

/// Wrong use, or a mistake in a file: starting again would not help.
const EXIT_USAGE: u8 = 64;

/// The whole system on this machine: an AWS account, the publisher and its subscribers.
///
/// Without a command it starts all of them and prints the page's address; Ctrl-C ends it. The AWS
/// account is in this process and in memory, unless AWS_ENDPOINT_URL names another (MiniStack or
/// moto, say). All of it is made from the files under copilot/.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: up::Args,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the system (what happens without a command)
    Up(up::Args),
    /// Runs the AWS account alone, with everything in it, for the AWS CLI
    Aws(aws::Args),
    /// Shows what no try could handle, sends it back, or throws it away
    DeadLetters(dead_letters::command::Args),
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
            anstream::eprintln!("local: {error:#}");
            let to_mend = error.is::<Mistake>() || error.is::<Misconfigured>();
            if to_mend { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE }
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command.unwrap_or(Command::Up(arguments.up)) {
        Command::Up(args) => up::run(args).await,
        Command::Aws(args) => aws::run(args).await,
        Command::DeadLetters(args) => dead_letters::command::run(args).await,
    }
}
