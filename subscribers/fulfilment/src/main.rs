//! Fulfils every order.

use std::process::ExitCode;

use pubsub::{
    Program, env,
    subscribe::{Settings, subscribe},
};
use tokio_util::sync::CancellationToken;

mod fulfil;

const VARIABLES: [(&str, &str); 5] = {
    let [queue, health, in_flight, wait] = Settings::VARIABLES;
    let banner = ("BANNER", "on or off: the customer's name in large letters (on)");
    [queue, banner, health, in_flight, wait]
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
    let banner = env::switch("BANNER", true)?;
    let aws = pubsub::aws::config().await;
    subscribe(&aws, settings, shutdown, move |notification| fulfil::handle(notification, banner))
        .await
}
