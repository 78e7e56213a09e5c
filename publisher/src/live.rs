//! The orders that have viewers right now.

use orders::order::OrderId;
use tokio_util::sync::CancellationToken;
use web::watch::Watchers;

use crate::orders_table::{OrdersTable, PlacedOrder};

/// The most viewers at once: each holds a connection and about 20 KB.
const MAX_VIEWERS: usize = 1_000;

/// One watcher for each order that has viewers.
pub type Live = Watchers<OrderId, PlacedOrder>;

/// Watches orders of the table until `shutdown` is cancelled.
pub fn live(orders: OrdersTable, shutdown: CancellationToken) -> Live {
    Watchers::new(MAX_VIEWERS, shutdown, move |id| {
        let orders = orders.clone();
        async move { orders.get(id).await }
    })
}
