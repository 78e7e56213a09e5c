//! Fulfils every order.

use std::{process::ExitCode, time::Duration};

use clap::{ArgAction, Parser, builder::BoolishValueParser};
use orders::report::{Reporter, STATUS_TOPIC};
use pubsub::{Worker, limits::between};

mod fulfil;

use fulfil::Fulfilment;

/// Fulfils every order that the publisher announces
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// How long each of the three steps takes, to make progress visible
    #[arg(long, value_name = "MILLISECONDS", env = "PACE_MS", default_value_t = 0)]
    #[arg(value_parser = between::<u64>(0, 5_000))]
    pace_ms: u64,
    /// Log the customer's name in large letters: on or off
    #[arg(long, env = "BANNER", default_value = "off", action = ArgAction::Set)]
    #[arg(value_parser = BoolishValueParser::new())]
    banner: bool,
}

fn main() -> ExitCode {
    Worker::new().run(async |settings: Settings, startup| {
        Ok(Fulfilment {
            reporter: Reporter::new(env!("CARGO_PKG_NAME"), startup.topic(STATUS_TOPIC)?),
            pace: Duration::from_millis(settings.pace_ms),
            banner: settings.banner,
        })
    })
}
