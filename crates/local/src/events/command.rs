//! `local events`: lists, shows and replays events of the past.

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use account::provision::ENVIRONMENT;
use anyhow::Context as _;
use archive::{Archive, EventId, INDEX, Order};
use aws_config::SdkConfig;
use clap::{Subcommand, value_parser};
use deployment::Deployment;
use jiff::Timestamp;
use pubsub::{
    env::Misconfigured,
    shutdown::{self, Signals},
};
use serde_json::json;

use super::{
    replay::{Outcome, Replay},
    selection::{Moment, Selected, Selection, no_such_event},
    shown,
};
use crate::{dead_letters::command::find, inspect::account, running::files_directory, tables};

/// The exit code of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// How many events of each shard of a day a replay holds in memory: some 10 MB in all.
const PAGE: i32 = 100;
/// How often progress is printed: on a terminal, where it replaces the line before, and elsewhere.
const PROGRESS: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// The options of `events`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// The environment, one of copilot/environments
    #[arg(long = "env", global = true, value_name = "NAME", default_value = ENVIRONMENT)]
    environment: String,
    /// The directory with the files, copilot or infrastructure [default: the workspace's copilot]
    #[arg(long, global = true, value_name = "DIR")] // `--from` is a time here
    files: Option<PathBuf>,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// List events, the newest first; without --from, those of a day
    List {
        #[command(flatten)]
        selection: Selection,
        /// How many
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        #[arg(value_parser = value_parser!(u16).range(1..=1_000))]
        limit: u16,
        /// Only those before this event: the next page
        #[arg(long, value_name = "EVENT")]
        before: Option<EventId>,
    },
    /// Show an event as SNS sent it, with what a customer typed
    Show {
        /// Its id
        event: EventId,
    },
    /// Send events to the queue of one subscriber again, the oldest first
    Replay(ReplayArgs),
}

#[derive(clap::Args, Debug)]
struct ReplayArgs {
    /// The events; without them, those that the options select
    #[arg(required_unless_present_any = ["from", "order"])]
    #[arg(conflicts_with_all = ["from", "until", "event_type", "order", "after"])]
    events: Vec<EventId>,
    /// The service whose queue gets what its subscriptions let through
    #[arg(long, value_name = "SERVICE")]
    to: String,
    #[command(flatten)]
    selection: Selection,
    /// Only those after this event: how a replay that was interrupted goes on
    #[arg(long, value_name = "EVENT")]
    after: Option<EventId>,
    /// The most events in a second
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Send nothing: only count
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
///
/// # Errors
///
/// [`Misconfigured`] for what a person has to fix; otherwise what the endpoint refused.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let files = files_directory(args.files.as_deref());
    let deployment = deployment::read(&files, &args.environment)?;
    let aws = account().await?;
    let archive = archive(&aws, &deployment).await?;
    let mut code = ExitCode::SUCCESS;
    let text = match args.action {
        Action::List { selection, limit, before } => {
            list(&archive, &selection, limit.into(), before.as_ref(), args.json).await?
        }
        Action::Show { event: id } => {
            let event = archive.get(&id).await?.ok_or_else(|| no_such_event(&id))?;
            if args.json { shown::whole(&event)?.to_string() } else { shown::page(&event)? }
        }
        Action::Replay(mut replay) => {
            // What comes in meanwhile is not replayed, also if this is interrupted and goes on.
            replay.selection.until.get_or_insert(Moment(Timestamp::now()));
            let outcome = send(&aws, &deployment, &archive, &replay).await?;
            if outcome.is_interrupted {
                code = ExitCode::from(INTERRUPTED);
            }
            if args.json { json!(outcome).to_string() } else { replay.summary(&outcome) }
        }
    };
    writeln!(anstream::stdout(), "{text}").context("printing")?;
    Ok(code)
}

/// The table of events, which the account knows by its name and its index.
async fn archive(aws: &SdkConfig, deployment: &Deployment) -> anyhow::Result<Archive> {
    let prefix = format!("{}-{}-", deployment.application, deployment.environment);
    let found = tables::with_index(aws, &prefix, INDEX).await?;
    let [table] = found.as_slice() else {
        let message = format!(
            "this account has {} tables of events, named {prefix}…: is history deployed?",
            found.len()
        );
        return Err(Misconfigured(message).into());
    };
    Ok(Archive::new(aws, table.clone()))
}

async fn list(
    archive: &Archive,
    selection: &Selection,
    limit: usize,
    before: Option<&EventId>,
    json: bool,
) -> anyhow::Result<String> {
    let page = i32::try_from(limit + 1)?;
    let mut selected = selection.read(archive, Order::NewestFirst, before, Some(page)).await?;
    let mut events = Vec::new();
    while events.len() <= limit
        && let Some(event) = selected.next().await?
    {
        events.push(event);
    }
    let has_more = events.len() > limit;
    events.truncate(limit);
    let next = events.last().filter(|_| has_more).map(|event| event.id.to_string());
    if json {
        let events: Vec<_> = events.iter().map(shown::summary).collect();
        return Ok(json!({"events": events, "next": next}).to_string());
    }
    if events.is_empty() {
        return Ok("no events".to_owned());
    }
    let lines = [shown::head()].into_iter().chain(events.iter().map(shown::line));
    let next = next.map(|id| format!("there are more: add --before {id}"));
    Ok(lines.chain(next).collect::<Vec<_>>().join("\n"))
}

async fn send(
    aws: &SdkConfig,
    deployment: &Deployment,
    archive: &Archive,
    args: &ReplayArgs,
) -> anyhow::Result<Outcome> {
    let queue = find(deployment, &aws_sdk_sqs::Client::new(aws), &args.to).await?.source_url;
    let replay = Replay::to(aws, queue).await?;
    let mut events = if args.events.is_empty() {
        args.selection.read(archive, Order::OldestFirst, args.after.as_ref(), Some(PAGE)).await?
    } else {
        let mut ids = args.events.clone();
        ids.sort();
        Selected::by_id(archive, &ids).await?
    };
    let Signals { asked, .. } = shutdown::signals()?;
    let is_terminal = std::io::stderr().is_terminal();
    let (started, mut shown_at) = (Instant::now(), Instant::now());
    let mut last = None;
    let outcome = replay.run(&mut events, args.rate(), &asked, |outcome| {
        last.clone_from(&outcome.last);
        if shown_at.elapsed() >= PROGRESS[usize::from(!is_terminal)] {
            shown_at = Instant::now();
            let sent = format!("{:>4} s: {} sent", started.elapsed().as_secs(), outcome.sent);
            if is_terminal { anstream::eprint!("\r{sent}") } else { anstream::eprintln!("{sent}") }
        }
    });
    let outcome = outcome.await;
    if is_terminal {
        anstream::eprint!("\r");
    }
    outcome.with_context(|| format!("the replay ended early; {}", args.rest(last.as_ref())))
}

impl ReplayArgs {
    /// Events a second; `None` to send nothing.
    fn rate(&self) -> Option<u32> {
        (!self.dry_run).then_some(self.rate)
    }

    /// How to send the rest after the event `last`.
    fn rest(&self, last: Option<&EventId>) -> String {
        let until = self.selection.until.map(|it| format!(" --until {}", it.0)).unwrap_or_default();
        match last {
            Some(last) => format!("for the rest, add --after {last}{until}"),
            None => "nothing was sent".to_owned(),
        }
    }

    fn summary(&self, outcome: &Outcome) -> String {
        let Outcome { sent, filtered, foreign, last, is_interrupted } = outcome;
        let (to, verb) = (&self.to, if self.dry_run { "would be sent" } else { "sent" });
        let mut summary = format!(
            "{sent} events {verb} to {to}; left out: {filtered} by its filter policies, \
             {foreign} of topics that it is not subscribed to"
        );
        if *is_interrupted {
            summary += &format!("\ninterrupted: {}", self.rest(last.as_ref()));
        }
        summary
    }
}
