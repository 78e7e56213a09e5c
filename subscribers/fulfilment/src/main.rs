//! Fulfils every order.

use std::{process::ExitCode, time::Duration};

use pubsub::{
    Program,
    env::{self, Misconfigured},
    status::Reporter,
    subscribe::{Settings, subscribe},
};
use tokio_util::sync::CancellationToken;

mod fulfil;

use fulfil::Fulfilment;

/// Three steps have to end within the deadline of a handler.
const MAX_PACE_MS: u64 = 5_000;

const VARIABLES: [(&str, &str); 7] = {
    let [queue, health, in_flight, wait] = Settings::VARIABLES;
    let topics = ("COPILOT_SNS_TOPIC_ARNS", "the topic, as JSON: orderStatus");
    let banner = ("BANNER", "on or off: the customer's name in large letters (on)");
    let pace = ("PACE_MS", "how long each of its three steps takes, up to 5000 (0)");
    [queue, topics, banner, pace, health, in_flight, wait]
};

const PROGRAM: Program = Program {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    about: "Fulfils every order that the publisher announces.",
    health_port: Settings::HEALTH_PORT,
    health_path: "/",
    variables: &VARIABLES,
};

fn main() -> ExitCode {
    pubsub::run(&PROGRAM, serve)
}

async fn serve(shutdown: CancellationToken) -> anyhow::Result<()> {
    let settings = Settings::from_env()?;
    let (banner, pace) = (env::switch("BANNER", true)?, pace()?);
    let aws = pubsub::aws::config().await;
    let reporter = Reporter::from_env(&aws, PROGRAM.name)?;
    let fulfilment = Fulfilment { reporter, pace, banner };
    subscribe(&aws, settings, shutdown, move |notification| fulfilment.clone().handle(notification))
        .await
}

fn pace() -> Result<Duration, Misconfigured> {
    let millis = env::parsed("PACE_MS", 0, "a number of milliseconds")?;
    if millis > MAX_PACE_MS {
        let what = format!("PACE_MS is {millis}, but should be at most {MAX_PACE_MS}");
        return Err(Misconfigured(what));
    }
    Ok(Duration::from_millis(millis))
}
