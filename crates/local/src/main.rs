//! `local`: the system on this machine, without AWS and without containers.

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};
use deployment::Mistake;
use local::{dead_letters, events};
use pubsub::env::Misconfigured;

mod up;

mod aws;

mod export;

mod forecast;

mod sample_orders;

mod weather;

mod webhook;

mod terminal;

mod outbox_list;

/// Wrong usage, or a mistake in a file: running it again would not help.
const EXIT_USAGE: u8 = 64;

/// The whole system on this machine: an AWS account, the publisher and its subscribers.
///
/// Without a command, it starts all of them and prints where the page is; Ctrl-C stops them. The
/// AWS account is in this process and in memory, unless AWS_ENDPOINT_URL names another endpoint,
/// such as MiniStack or moto. Its resources are those that the files under copilot/ describe,
/// or those under infrastructure/.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: up::Args,
}

#[derive(Subcommand)]
enum Command {
    /// Start the system (the default); it takes the options below
    #[command(disable_help_flag = true, override_usage = "local up [OPTIONS]")]
    Up {
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<OsString>,
    },
    /// Send sample orders to the running system
    Orders(sample_orders::Args),
    /// Send a webhook to the running system
    Webhook(webhook::Args),
    /// Let a part of AWS fail for a while, for the running system
    Weather(weather::Args),
    /// Run the AWS account alone, with all topics, queues and tables, for the AWS CLI
    Aws(aws::Args),
    /// List what is stored and not announced, or announced and not reported
    Outbox(outbox_list::Args),
    /// List, show or replay events of the past
    Events(events::command::Args),
    /// List, show, redrive or purge messages that failed every attempt
    DeadLetters(dead_letters::command::Args),
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    match run(arguments) {
        Ok(code) => code,
        // As with `local dead-letters list | grep --quiet`: the reader has seen enough.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("local: {error:#}");
            let to_fix = error.is::<Mistake>() || error.is::<Misconfigured>();
            if to_fix { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE }
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Parses the command line. `up` is the default, so its options mean the same before and after the
/// word, and without it.
fn parse(mut words: Vec<OsString>) -> Result<Arguments, clap::Error> {
    let arguments = Arguments::try_parse_from(&words)?;
    let Some(Command::Up { options }) = &arguments.command else {
        return Ok(arguments);
    };
    words.remove(words.len() - options.len() - 1);
    let again = Arguments::try_parse_from(&words)?;
    match again.command {
        None => Ok(again),
        // Such as `up aws`.
        Some(_) => Err(Arguments::command()
            .error(ErrorKind::ArgumentConflict, "`up` takes no further command")),
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        None | Some(Command::Up { .. }) => up::run(arguments.up).await,
        Some(Command::Orders(args)) => sample_orders::run(args).await,
        Some(Command::Webhook(args)) => webhook::run(args).await,
        Some(Command::Weather(args)) => weather::run(args).await,
        Some(Command::Aws(args)) => aws::run(args).await,
        Some(Command::Outbox(args)) => outbox_list::run(args).await,
        Some(Command::Events(args)) => events::command::run(args).await,
        Some(Command::DeadLetters(args)) => dead_letters::command::run(args).await,
    }
}
