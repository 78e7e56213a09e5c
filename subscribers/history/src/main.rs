//! Keeps every event, so that it can be looked up and replayed.

use std::process::ExitCode;

use archive::Archive;
use clap::Parser;
use orders::keep::Keep;
use pubsub::{Worker, limits::between};

mod history;

use history::History;

/// Keeps every event of the topics that it is subscribed to
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// The DynamoDB table of events
    #[arg(long, value_name = "TABLE", env = "EVENTS_TABLE_NAME")]
    events_table_name: String,
    /// For how many days an event is kept; 0 is for ever
    #[arg(long, value_name = "DAYS", env = "KEEP_EVENTS_DAYS", default_value_t = 90)]
    #[arg(value_parser = between::<u32>(0, 3_650))]
    keep_events_days: u32,
}

fn main() -> ExitCode {
    Worker::new().run(async |settings: Settings, startup| {
        Ok(History {
            events: Archive::new(startup.aws(), settings.events_table_name),
            keep: Keep::days(settings.keep_events_days),
        })
    })
}
