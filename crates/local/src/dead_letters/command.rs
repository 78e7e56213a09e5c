//! `local dead-letters`: lists, shows, redrives and purges dead letters.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use account::{
    dead_letters::{DeadLetters, Redriven},
    provision::ENVIRONMENT,
};
use anyhow::Context as _;
use aws_sdk_sqs::Client;
use clap::Subcommand;
use console::times::in_words;
use deployment::{Deployment, description::ServiceQueue};
use pubsub::env::Misconfigured;
use serde_json::json;

use super::{age, look};
use crate::{inspect::account, running::files_directory};

/// The options of `dead-letters`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// The environment, one of copilot/environments
    #[arg(long = "env", global = true, value_name = "NAME", default_value = ENVIRONMENT)]
    environment: String,
    /// The directory with the files, copilot or infrastructure [default: the workspace's copilot]
    #[arg(long, global = true, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Count the dead letters of each service
    List {
        /// Only this service
        service: Option<String>,
    },
    /// Show the dead letters of a service
    Show {
        /// The service
        service: String,
        /// Show the messages as well, with what customers typed
        #[arg(long)]
        bodies: bool,
    },
    /// Send the dead letters of a service back to its queue
    Redrive {
        /// The service
        service: String,
    },
    /// Delete the dead letters of a service
    Purge {
        /// The service
        service: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Runs the command.
///
/// # Errors
///
/// [`Misconfigured`] for what a person has to fix; otherwise what the endpoint refused.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let deployment = deployment::read(&files_directory(args.from.as_deref()), &args.environment)?;
    let sqs = Client::new(&account().await?);
    let mut code = ExitCode::SUCCESS;
    let text = match &args.action {
        Action::List { service } => list(&deployment, &sqs, service.as_deref(), args.json).await?,
        Action::Show { service, bodies } => {
            let letters = find(&deployment, &sqs, service).await?;
            show(&letters, *bodies, args.json).await?
        }
        Action::Redrive { service } => {
            let letters = find(&deployment, &sqs, service).await?;
            if let (_, held @ 1..) = letters.depth().await? {
                anstream::eprintln!("{held} are in flight to another reader; waiting for them");
            }
            let redriven = letters.redrive().await?;
            if matches!(redriven, Redriven::Moved { left: 1.., .. }) {
                code = ExitCode::FAILURE;
            }
            text(redriven, args.json)
        }
        Action::Purge { service, yes } => {
            let letters = find(&deployment, &sqs, service).await?;
            purge(service, &letters, *yes, args.json).await?
        }
    };
    writeln!(anstream::stdout(), "{text}").context("printing")?;
    Ok(code)
}

/// The services with a queue, and their queues.
fn receivers(deployment: &Deployment) -> impl Iterator<Item = (&str, &ServiceQueue)> {
    let services = deployment.services.iter();
    services.filter_map(|service| Some((service.name.as_str(), service.queue.as_ref()?)))
}

/// The dead letters of a service, and its queue.
///
/// # Errors
///
/// [`Misconfigured`] if there is no such service, or it has none.
pub async fn find(
    deployment: &Deployment,
    sqs: &Client,
    service: &str,
) -> anyhow::Result<DeadLetters> {
    let Some((_, queue)) = receivers(deployment).find(|(name, _)| *name == service) else {
        let known = receivers(deployment).map(|(name, _)| name).collect::<Vec<_>>().join(", ");
        let message = format!("no service with a queue is called {service:?}; there are {known}");
        return Err(Misconfigured(message).into());
    };
    let found = DeadLetters::find(sqs, queue).await?;
    let missing = || Misconfigured(format!("{service} has no dead-letter queue in this account"));
    Ok(found.ok_or_else(missing)?)
}

async fn list(
    deployment: &Deployment,
    sqs: &Client,
    service: Option<&str>,
    json: bool,
) -> anyhow::Result<String> {
    let mut counts = Vec::new();
    for (worker, _) in
        receivers(deployment).filter(|(name, _)| service.is_none_or(|it| it == *name))
    {
        counts.push((worker, find(deployment, sqs, worker).await?.count().await?));
    }
    if let (Some(service), true) = (service, counts.is_empty()) {
        find(deployment, sqs, service).await?;
    }
    if json {
        let counts: serde_json::Map<_, _> =
            (counts.into_iter()).map(|(worker, count)| (worker.to_owned(), count.into())).collect();
        return Ok(serde_json::Value::Object(counts).to_string());
    }
    let lines = (counts.iter()).map(|(worker, count)| format!("{worker:<16} {count:>6}"));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

async fn show(letters: &DeadLetters, bodies: bool, json: bool) -> anyhow::Result<String> {
    let mut found = look(letters).await?;
    if !bodies {
        found.iter_mut().for_each(|letter| letter.body = None);
    }
    if json {
        return Ok(serde_json::to_string(&found)?);
    }
    let held = letters.depth().await?.1;
    if found.is_empty() && held == 0 {
        return Ok("no dead letters".to_owned());
    }
    let mut text = format!("{:<36}  {:>8}  {:>8}  about", "message", "sent", "receives");
    for letter in found {
        text += &format!(
            "\n{:<36}  {:>8}  {:>8}  {}",
            letter.message_id,
            in_words(age(letter.sent_at_ms)),
            letter.receive_count,
            letter.subject
        );
        if let Some(body) = letter.body {
            // Escaped, because a terminal would obey control characters.
            text += &format!("\n    {}", body.escape_debug());
        }
    }
    if held > 0 {
        text += &format!("\n{held} more are in flight to another reader: try again in 30 s");
    }
    Ok(text)
}

fn text(redriven: Redriven, json: bool) -> String {
    match (redriven, json) {
        (Redriven::Moved { moved, left: 0 }, false) => format!("{moved} sent back"),
        (Redriven::Moved { moved, left }, false) => {
            format!("{moved} sent back; {left} are in flight to another reader: try again later")
        }
        (Redriven::Started, false) => "SQS is sending them back".to_owned(),
        (Redriven::Moved { moved, left }, true) => {
            json!({"moved": moved, "left": left}).to_string()
        }
        (Redriven::Started, true) => json!({"started": true}).to_string(),
    }
}

async fn purge(
    service: &str,
    letters: &DeadLetters,
    yes: bool,
    json: bool,
) -> anyhow::Result<String> {
    let count = letters.count().await?;
    if !yes && !confirmed(service, count)? {
        return Ok("nothing was deleted".to_owned());
    }
    letters.purge().await?;
    Ok(if json { json!({"purged": count}).to_string() } else { format!("{count} deleted") })
}

fn confirmed(service: &str, count: usize) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        let message = "purge asks for confirmation on a terminal; without one, add --yes";
        return Err(Misconfigured(message.to_owned()).into());
    }
    let mut terminal = anstream::stderr();
    write!(terminal, "Delete {count} dead letters of {service}? [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
