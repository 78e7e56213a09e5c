//! Fulfils every order.

use std::process::ExitCode;

use pubsub::{
    Program, env,
    subscribe::{Settings, subscribe},
};
use tokio_util::sync::CancellationToken;

mod fulfil;

const PROGRAM: Program = Program {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    about: "Fulfils every order that the publisher announces.",
    health_port: Settings::HEALTH_PORT,
    health_path: "/",
    variables: "  COPILOT_QUEUE_URI  the queue to receive from
  HEALTH_PORT        the port on loopback that answers the health check (8081)
  MAX_IN_FLIGHT      how many messages are handled at once (100)
  BANNER             on or off: the customer's name in large letters (on)
  RUST_LOG           what is logged (info)",
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
