//! Fulfils every order.

use std::{process::ExitCode, time::Duration};

use clap::{ArgAction, Parser, builder::BoolishValueParser};
use orders::report::{Reporter, STATUS_TOPIC};
use pubsub::{
    aws,
    subscribe::{self, WorkerSettings, subscribe},
    topics::Topics,
};

mod fulfil;

use fulfil::Fulfilment;

/// Fulfils every order that the publisher announces
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    worker: WorkerSettings,
    #[command(flatten)]
    topics: Topics,
    /// How long each of the three steps takes, to make progress visible
    #[arg(long, value_name = "MILLISECONDS", env = "PACE_MS", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u64).range(..=5_000))]
    pace_ms: u64,
    /// Log the customer's name in large letters: on or off
    #[arg(long, env = "BANNER", default_value = "off", action = ArgAction::Set)]
    #[arg(value_parser = BoolishValueParser::new())]
    banner: bool,
}

fn main() -> ExitCode {
    pubsub::run(subscribe::HEALTH, async |settings: Settings, shutdown| {
        let aws = aws::config().await;
        let topic = settings.topics.topic(&aws, STATUS_TOPIC)?;
        let fulfilment = Fulfilment {
            reporter: Reporter::new(env!("CARGO_PKG_NAME"), topic),
            pace: Duration::from_millis(settings.pace_ms),
            banner: settings.banner,
        };
        let handle = move |notification| fulfilment.clone().handle(notification);
        subscribe(&aws, settings.worker, shutdown, handle).await
    })
}
