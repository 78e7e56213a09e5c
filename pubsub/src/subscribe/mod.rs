//! The worker runtime: receives from a queue, handles, deletes.

use std::{collections::BTreeMap, future::Future};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use tokio_util::sync::CancellationToken;

use crate::{
    env::{self, Misconfigured},
    notification::Notification,
};

const RECEIVE_WAIT_SECONDS: i32 = 20;
const RECEIVE_MAX_MESSAGES: i32 = 10;

/// What a subscription may be told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The queue's URL.
    pub queue_url: String,
    /// The loopback port on which health is asked; `None` serves no health.
    pub health_port: Option<u16>,
    /// How many messages are handled at once, at most.
    pub max_in_flight: usize,
}

impl Settings {
    /// The variable that holds the port of the health check.
    pub const HEALTH_PORT: (&str, u16) = ("HEALTH_PORT", 8081);

    /// Settings for a Copilot Worker Service: its queue is in `COPILOT_QUEUE_URI`.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if a variable is missing or cannot be read.
    pub fn from_env() -> Result<Self, Misconfigured> {
        let (health_port, default) = Self::HEALTH_PORT;
        Ok(Self {
            queue_url: env::required("COPILOT_QUEUE_URI")?,
            health_port: Some(env::parsed(health_port, default, "a port number")?),
            max_in_flight: env::parsed("MAX_IN_FLIGHT", 100, "a number from 1 up")?,
        })
    }
}

/// Why a handler did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// It may succeed later.
    Retry(anyhow::Error),
    /// No later try will succeed.
    Poison(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Retry(error)
    }
}

/// Receives from the queue until `shutdown` is cancelled, and calls `handler` for each message.
///
/// # Errors
///
/// If a setting makes it impossible to start. A queue out of reach is not an error.
pub async fn subscribe<F>(
    aws: &SdkConfig,
    settings: Settings,
    shutdown: CancellationToken,
    handler: impl Fn(Notification) -> F + Send + Sync + 'static,
) -> anyhow::Result<()>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let sqs = aws_sdk_sqs::Client::new(aws);
    while !shutdown.is_cancelled() {
        let received = sqs
            .receive_message()
            .queue_url(&settings.queue_url)
            .wait_time_seconds(1)
            .max_number_of_messages(RECEIVE_MAX_MESSAGES)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_attribute_names("All")
            .send()
            .await
            .context("receiving")?;
        for message in received.messages.unwrap_or_default() {
            let outcome = handler(read(&message)).await;
            if let Err(failure) = outcome {
                tracing::warn!(?failure, "failed");
                continue;
            }
            sqs.delete_message()
                .queue_url(&settings.queue_url)
                .set_receipt_handle(message.receipt_handle)
                .send()
                .await?;
        }
    }
    let _ = RECEIVE_WAIT_SECONDS;
    Ok(())
}

fn read(message: &Message) -> Notification {
    let attributes = message.message_attributes.iter().flatten();
    let attributes: BTreeMap<String, String> = attributes
        .filter_map(|(name, value)| Some((name.clone(), value.string_value.clone()?)))
        .collect();
    let attempt = message
        .attributes
        .as_ref()
        .and_then(|system| system.get(&MessageSystemAttributeName::ApproximateReceiveCount))
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    let id = message.message_id.as_deref().unwrap_or_default();
    Notification::read(
        message.body.as_deref().unwrap_or_default(),
        id,
        attributes,
        attempt,
    )
}
