//! How the outbox announces webhooks.

use orders::{
    event::EVENT_TYPE,
    payment::{SOURCE, WEBHOOK_ID},
};
use outbox::{Announce, Item, Key};
use pubsub::{
    telemetry::SPANS,
    topic::{Attribute, Message, Topic},
    trace,
};
use tracing::Instrument as _;

use crate::stored::Webhook;

/// Announces webhooks on a topic.
#[derive(Clone)]
pub struct Announcements {
    /// The topic.
    pub topic: Topic,
}

impl Announce for Announcements {
    type Entry = Webhook;

    fn read(&self, item: &Item) -> anyhow::Result<Webhook> {
        Webhook::read(item)
    }

    fn key(&self, webhook: &Webhook) -> Key {
        webhook.place()
    }

    /// Announces a webhook, in the trace of the request that brought it.
    async fn announce(&self, webhook: &Webhook) -> anyhow::Result<()> {
        let Webhook { source, id, event_type, traceparent, .. } = webhook;
        let span = tracing::info_span!(target: SPANS, parent: None, "announce", webhook.id = id);
        trace::set_parent(&span, traceparent.as_deref());
        async {
            self.topic.publish(message(webhook)).await?;
            tracing::info!(source, webhook.id = id, r#type = event_type, "webhook announced");
            Ok(())
        }
        .instrument(span)
        .await
    }

    fn noted(&self, _: Webhook) {}
}

/// The text is that of the source, byte for byte.
fn message(webhook: &Webhook) -> Message {
    let Webhook { source, id, event_type, body, .. } = webhook;
    let text = |value: &String| Attribute::Text(value.clone());
    Message {
        body: body.clone(),
        attributes: vec![
            (EVENT_TYPE, text(event_type)),
            (SOURCE, text(source)),
            (WEBHOOK_ID, text(id)),
        ],
        // Many webhooks of one source do not delay those of another.
        group: source.clone(),
        deduplication_id: id.clone(),
    }
}
