//! How the outbox announces orders.

use orders::event;
use outbox::{Announce, Item, Key, Outbox};
use pubsub::{telemetry::SPANS, topic::Topic, trace};
use tracing::Instrument as _;

use crate::{
    live::Live,
    orders_table::{OrdersTable, PlacedOrder},
};

/// The outbox of the orders.
pub type OrdersOutbox = Outbox<Announcements>;

/// Announces orders on a topic, and shows it to their viewers.
#[derive(Clone)]
pub struct Announcements {
    /// The orders.
    pub orders: OrdersTable,
    /// The topic of the events.
    pub topic: Topic,
    /// The orders that have viewers.
    pub live: Live,
}

impl Announce for Announcements {
    type Entry = PlacedOrder;

    fn read(&self, item: &Item) -> anyhow::Result<PlacedOrder> {
        self.orders.read(item)
    }

    fn key(&self, PlacedOrder { order, placed_at, due_at, .. }: &PlacedOrder) -> Key {
        let (id, shard) = (order.id.to_string(), self.orders.shard(order.id));
        Key { id, shard, stored_at: *placed_at, due_at: due_at.unwrap_or(*placed_at) }
    }

    /// Announces an order, in the trace of the request that placed it.
    async fn announce(&self, placed: &PlacedOrder) -> anyhow::Result<()> {
        let PlacedOrder { order, traceparent, .. } = placed;
        let span =
            tracing::info_span!(target: SPANS, parent: None, "announce", order.id = %order.id);
        trace::set_parent(&span, traceparent.as_deref());
        async {
            self.topic.publish(event::order_placed(order)).await?;
            tracing::info!(order.id = %order.id, amount = %order.amount, "order announced");
            Ok(())
        }
        .instrument(span)
        .await
    }

    fn noted(&self, placed: PlacedOrder) {
        self.live.changed(placed);
    }
}
