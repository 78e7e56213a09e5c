//! `local dead-letters`: looking at dead letters, sending them back, and throwing them away.

use std::{
    env,
    io::{BufRead as _, IsTerminal as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use account::{
    endpoint,
    provision::{ENVIRONMENT, Target},
};
use anyhow::Context as _;
use aws_sdk_sqs::Client;
use clap::Subcommand;
use deployment::{Deployment, copilot, description::ServiceQueue};
use pubsub::env::Misconfigured;
use serde_json::json;

use super::{DeadLetters, Redriven, age};
use crate::build;

/// What `dead-letters` can be told.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// The environment, as under copilot/environments
    #[arg(long = "env", global = true, value_name = "NAME", default_value = ENVIRONMENT)]
    environment: String,
    /// Answers in JSON, for scripts
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Says how many dead letters each service has
    List {
        /// Only this service
        service: Option<String>,
    },
    /// Shows the dead letters of a service
    Show {
        /// The service
        service: String,
        /// Shows the messages too, with all that customers typed
        #[arg(long)]
        bodies: bool,
    },
    /// Sends the dead letters of a service back to its queue
    Redrive {
        /// The service
        service: String,
    },
    /// Deletes the dead letters of a service, for good
    Purge {
        /// The service
        service: String,
        /// Does not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Does what was asked.
///
/// # Errors
///
/// [`Misconfigured`] for what a person has to mend; otherwise what the endpoint refused.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let deployment = copilot::read(&build::copilot_directory(), &args.environment)?;
    let sqs = Client::new(&account().await?);
    let text = match &args.action {
        Action::List { service } => list(&deployment, &sqs, service.as_deref(), args.json).await?,
        Action::Show { service, bodies } => {
            let letters = find(&deployment, &sqs, service).await?;
            show(&letters, *bodies, args.json).await?
        }
        Action::Redrive { service } => {
            let letters = find(&deployment, &sqs, service).await?;
            redriven(letters.redrive().await?, args.json)
        }
        Action::Purge { service, yes } => {
            let letters = find(&deployment, &sqs, service).await?;
            purge(service, &letters, *yes, args.json).await?
        }
    };
    writeln!(anstream::stdout(), "{text}").context("printing")?;
    Ok(ExitCode::SUCCESS)
}

/// The account that the environment names: an endpoint of a laptop, or AWS in a region.
async fn account() -> anyhow::Result<aws_config::SdkConfig> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(endpoint_url) = set("AWS_ENDPOINT_URL") {
        let region = endpoint::region();
        let target = Target { endpoint_url, region };
        return Ok(target.config().await);
    }
    if set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")).is_none() {
        return Err(Misconfigured(
            "no AWS account is named: set AWS_ENDPOINT_URL to what a running `cargo run -p local` \
             or `local aws` prints, or AWS_REGION and credentials for AWS itself"
                .to_owned(),
        )
        .into());
    }
    Ok(pubsub::aws::config().await)
}

/// The services that receive, and their queues.
fn receivers(deployment: &Deployment) -> impl Iterator<Item = (&str, &ServiceQueue)> {
    let services = deployment.services.iter();
    services.filter_map(|service| Some((service.name.as_str(), service.queue.as_ref()?)))
}

async fn find(deployment: &Deployment, sqs: &Client, service: &str) -> anyhow::Result<DeadLetters> {
    let Some((_, queue)) = receivers(deployment).find(|(name, _)| *name == service) else {
        let known = receivers(deployment).map(|(name, _)| name).collect::<Vec<_>>().join(", ");
        let message = format!("no service that receives is called {service:?}, only: {known}");
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
    let mut found = letters.look().await?;
    if !bodies {
        found.iter_mut().for_each(|letter| letter.body = None);
    }
    if json {
        return Ok(serde_json::to_string(&found)?);
    }
    if found.is_empty() {
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
            // Control characters of a hostile message do not reach the terminal.
            text += &format!("\n    {}", body.escape_debug());
        }
    }
    Ok(text)
}

fn redriven(redriven: Redriven, json: bool) -> String {
    match (redriven, json) {
        (Redriven::Moved(count), false) => format!("{count} sent back"),
        (Redriven::Started, false) => "SQS sends them back now".to_owned(),
        (Redriven::Moved(count), true) => json!({"moved": count}).to_string(),
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
        let message = "purge asks first, but nobody is at the terminal: add --yes to delete";
        return Err(Misconfigured(message.to_owned()).into());
    }
    let mut terminal = anstream::stderr();
    write!(terminal, "Delete {count} dead letters of {service} for good? [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The largest unit that fits: `3 d`, `2 h`, `5 min`, `40 s`.
fn in_words(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
