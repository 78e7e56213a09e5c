//! Webhooks: events from outside, by the [Standard Webhooks] specification.
//!
//! A source, such as a payment provider, posts an event to `/webhooks/{source}`, signed with a
//! secret that it shares with us. An event that is genuine is stored, once for each id, and then
//! answered; an [`outbox`] announces it on a topic, despite crashes. Its attributes are its type
//! and its source, so that subscribers filter by them.
//!
//! This knows no source and no type. A service mounts [`Webhooks::routes`] and runs
//! [`Webhooks::announce`].
//!
//! [Standard Webhooks]: https://www.standardwebhooks.com

use aws_config::SdkConfig;
use axum::{Router, routing::post};
use clap::Args;
use orders::keep::Keep;
use outbox::Outbox;
use pubsub::{env::Misconfigured, limits::between, topic::Topic};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use web::gate::Gate;

pub mod secrets;

mod verify;

mod receive;

mod stored;

mod announcements;

#[cfg(test)]
mod tests;

use announcements::Announcements;
use receive::Receiver;
use secrets::Secrets;
use stored::{SHARDS, Table, Webhook};
use verify::Sources;

/// The most webhooks that are being stored at once. They have a limit of their own: a source that
/// repeats itself does not keep orders out.
const MAX_WEBHOOKS: usize = 50;

/// The settings, as a group of `clap` arguments.
#[derive(Args, Clone, Debug)]
#[group(skip)] // groups share one namespace with those of the service
pub struct Settings {
    /// The DynamoDB table of webhooks
    #[arg(long, value_name = "TABLE", env = "WEBHOOKS_TABLE_NAME")]
    pub webhooks_table_name: String,
    /// The sources of webhooks, as a JSON object of their names and lists of their secrets
    #[arg(long, value_name = "JSON", env = "WEBHOOK_SECRETS", default_value = "{}")]
    pub webhook_secrets: Secrets,
    /// For how many days a webhook is kept, and its id is known; 0 is for ever
    #[arg(long, value_name = "DAYS", env = "KEEP_WEBHOOKS_DAYS", default_value_t = 30)]
    #[arg(value_parser = between::<u32>(0, 3_650))]
    pub keep_webhooks_days: u32,
}

/// Receives webhooks and announces them.
pub struct Webhooks {
    receiver: Receiver,
    outbox: Outbox<Announcements>,
    waiting: mpsc::Receiver<Webhook>,
}

impl Webhooks {
    /// Webhooks that are announced on `topic`.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] if the secrets cannot be read.
    pub fn new(aws: &SdkConfig, settings: Settings, topic: Topic) -> Result<Self, Misconfigured> {
        let sources = Sources::read(&settings.webhook_secrets)?;
        tracing::info!(sources = sources.names(), "webhooks are received");
        let keep = Keep::days(settings.keep_webhooks_days);
        let table = Table::new(aws, settings.webhooks_table_name.clone(), keep);
        let table_name = settings.webhooks_table_name;
        let of =
            outbox::Settings { table: table_name, shards: SHARDS.into(), awaits_reports: false };
        let (fresh, waiting) = mpsc::channel(outbox::MAX_WAITING);
        let gate = Gate::new("webhooks", MAX_WEBHOOKS);
        Ok(Self {
            receiver: Receiver { sources, table, gate, fresh },
            outbox: Outbox::new(aws, of, Announcements { topic }),
            waiting,
        })
    }

    /// `POST /webhooks/{source}`. The service that mounts it limits the size of bodies.
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let receiver = self.receiver.clone();
        Router::new().route("/webhooks/{source}", post(receive::receive)).with_state(receiver)
    }

    /// Announces what was stored until `served` is cancelled, and what was left over until
    /// `shutdown` is.
    pub async fn announce(self, shutdown: CancellationToken, served: CancellationToken) {
        self.outbox.run(self.waiting, shutdown, served).await;
    }
}
