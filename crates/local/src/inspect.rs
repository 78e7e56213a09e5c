//! What the commands share that look into an account: which account, and ages.

use std::time::Duration;

use account::{endpoint, provision::Target};
use jiff::Timestamp;
use pubsub::env::{self, Misconfigured};
use tokio::net::TcpStream;

use crate::{running::Running, system::DEFAULT_AWS_PORT};

/// The account that the environment names: a local endpoint, or AWS in a region. If it names none,
/// the account of a running `local`.
///
/// # Errors
///
/// [`Misconfigured`] if nothing answers.
pub async fn account() -> anyhow::Result<aws_config::SdkConfig> {
    if let Some(endpoint_url) = env::optional("AWS_ENDPOINT_URL") {
        let region = endpoint::region();
        return Ok(Target::elsewhere(endpoint_url, region).config().await);
    }
    if ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().any(|it| env::optional(it).is_some()) {
        return Ok(pubsub::aws::config().await);
    }
    let region = endpoint::region();
    if let Some(Running { aws, .. }) = Running::find() {
        return Ok(Target::elsewhere(aws, region).config().await);
    }
    // In a container, for example.
    let running = format!("127.0.0.1:{DEFAULT_AWS_PORT}");
    if TcpStream::connect(&running).await.is_err() {
        return Err(Misconfigured(format!(
            "no account answers at {running}: start `cargo run -p local`, or set AWS_ENDPOINT_URL \
             to the endpoint that it prints, or AWS_REGION and credentials for AWS"
        ))
        .into());
    }
    let endpoint_url = format!("http://{running}");
    Ok(Target::elsewhere(endpoint_url, region).config().await)
}

/// How long ago a time was; zero for the future.
pub fn age(time: Timestamp) -> Duration {
    Timestamp::now().duration_since(time).try_into().unwrap_or_default()
}
