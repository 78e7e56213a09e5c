//! The orders that somebody looks at just now.

use pubsub::order::OrderId;
use tokio_util::sync::CancellationToken;
use web::watch::Watchers;

use crate::orders_table::{OrdersTable, PlacedOrder};

/// How many may look at once: each holds a connection, and about 20 KB.
const MAX_VIEWERS: usize = 1_000;

/// One watcher for each order that somebody looks at.
pub type Live = Watchers<OrderId, PlacedOrder>;

/// Shows orders of the table until `shutdown` is cancelled.
pub fn live(orders: OrdersTable, shutdown: CancellationToken) -> Live {
    Watchers::new(MAX_VIEWERS, shutdown, move |id| {
        let orders = orders.clone();
        async move { orders.get(id).await }
    })
}
