//! How the outbox announces receipts.

use outbox::{Announce, Item, Key};
use pubsub::{telemetry::SPANS, topic::Topic, trace};
use tracing::Instrument as _;
use uuid::Uuid;
use web::watch::Watchers;

use crate::{receipt::Receipt, table::key};

/// Announces receipts on a topic, and shows it to their viewers.
#[derive(Clone)]
pub struct Announcements {
    pub topic: Topic,
    pub live: Watchers<Uuid, Receipt>,
}

impl Announce for Announcements {
    type Entry = Receipt;

    fn read(&self, item: &Item) -> anyhow::Result<Receipt> {
        Receipt::read(item)
    }

    fn key(&self, receipt: &Receipt) -> Key {
        key(receipt.stored.id, receipt.stored_at)
    }

    /// Announces a receipt, in the trace of the request that stored it.
    async fn announce(&self, receipt: &Receipt) -> anyhow::Result<()> {
        let id = receipt.stored.id;
        let span = tracing::info_span!(target: SPANS, parent: None, "announce", receipt.id = %id);
        trace::set_parent(&span, receipt.traceparent.as_deref());
        self.topic.publish(receipt.stored.message()).instrument(span).await?;
        tracing::info!(receipt.id = %id, "receipt announced");
        Ok(())
    }

    fn noted(&self, receipt: Receipt) {
        self.live.changed(&receipt.stored.id.clone(), receipt);
    }
}
