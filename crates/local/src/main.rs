//! `local`: the system on this machine, without AWS and without containers.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use deployment::Mistake;
use local::dead_letters;
use pubsub::env::Misconfigured;

mod up;

mod aws;

mod printer;

/// Wrong usage, or a mistake in a file: running it again would not help.
const EXIT_USAGE: u8 = 64;

/// The whole system on this machine: an AWS account, the publisher and its subscribers.
///
/// Without a command, it starts all of them and prints the page's URL; Ctrl-C stops them. The AWS
/// account is in this process and in memory, unless AWS_ENDPOINT_URL names another endpoint, such
/// as MiniStack or moto. Its resources are those that the files under copilot/ describe.
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
    /// Start the system (the default)
    Up(up::Args),
    /// Run the AWS account alone, with all topics, queues and tables, for the AWS CLI
    Aws(aws::Args),
    /// List, show, redrive or purge messages that failed every attempt
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
            let to_fix = error.is::<Mistake>() || error.is::<Misconfigured>();
            if to_fix { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE }
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
