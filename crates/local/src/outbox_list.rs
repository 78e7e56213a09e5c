//! `local outbox`: orders that are not announced, or announced and never reported.

use std::{cmp::Reverse, io::Write as _, process::ExitCode, time::Duration};

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use console::times::in_words;
use jiff::Timestamp;
use local::{
    inspect::{account, age},
    tables,
};
use outbox::{
    INDEX,
    waiting::{Waiting, waiting},
};
use pubsub::env::Misconfigured;
use serde_json::json;

use crate::up::Files;

/// The most that are listed.
const LIMIT: usize = 1_000;

/// The options of `outbox`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Leave out what was stored less than this many seconds ago
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    older_than: u64,
    /// Print JSON, for scripts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    files: Files,
}

/// Lists the outbox, the oldest first.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let deployment = args.files.read_running()?;
    let aws = account().await?;
    let prefix = format!("{}-{}-", deployment.application, deployment.environment);
    let tables = tables::with_index(&aws, &prefix, INDEX).await?;
    if tables.is_empty() {
        let message = format!("this account has no table with an outbox, named {prefix}…");
        return Err(Misconfigured(message).into());
    }
    let mut found = Vec::new();
    for table in tables {
        found.extend(waiting(&aws, &table, LIMIT).await?);
    }
    found.retain(|it| age(stored_at(it)) >= Duration::from_secs(args.older_than));
    found.sort_by_key(|it| Reverse(age(stored_at(it))));
    writeln!(anstream::stdout(), "{}", text(&found, args.json)).context("printing")?;
    Ok(ExitCode::SUCCESS)
}

fn text(found: &[Waiting], json: bool) -> String {
    if json {
        return json!(found.iter().map(as_json).collect::<Vec<_>>()).to_string();
    }
    if found.is_empty() {
        return "nothing waits".to_owned();
    }
    let mut text = format!("{:<36}  {:>8}  {:>9}  state", "order", "stored", "announced");
    for it in found {
        let (id, stored) = (&it.id, in_words(age(stored_at(it))));
        text += &format!("\n{id:<36}  {stored:>8}  {:>7} x  {}", it.announcements, state(it));
    }
    if found.len() >= LIMIT {
        text += &format!("\nthere may be more: this lists {LIMIT} of a table");
    }
    text
}

fn state(waiting: &Waiting) -> String {
    match (&waiting.refused, waiting.announced_at) {
        // Escaped, because a terminal would obey control characters.
        (Some(reason), _) => format!("refused: {}", reason.escape_debug()),
        (None, Some(at)) => format!("announced {} ago, no report", in_words(age(at))),
        (None, None) => "not announced".to_owned(),
    }
}

fn as_json(waiting: &Waiting) -> serde_json::Value {
    json!({
        "id": waiting.id,
        "stored_at": stored_at(waiting),
        "announcements": waiting.announcements,
        "announced_at": waiting.announced_at,
        "refused": waiting.refused,
        "due_at": waiting.due_at,
    })
}

/// When an order was stored; 1970 if that cannot be read, so that it comes first.
fn stored_at(waiting: &Waiting) -> Timestamp {
    let millis = match waiting.item.get("placed_at") {
        Some(AttributeValue::N(millis)) => millis.parse().ok(),
        _ => None,
    };
    millis.and_then(|it| Timestamp::from_millisecond(it).ok()).unwrap_or_default()
}
