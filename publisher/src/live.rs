//! The orders that have viewers right now.

use orders::order::OrderId;
use tokio_util::sync::CancellationToken;
use web::{viewers, watch::Watchers};

use crate::orders_table::{OrdersTable, PlacedOrder};

/// The most viewers at once: each holds a connection and about 20 KB. A client may be an office
/// full of people.
const VIEWERS: viewers::Limits = viewers::Limits { in_all: 1_000, of_a_client: 50 };

/// One watcher for each order that has viewers.
pub type Live = Watchers<OrderId, PlacedOrder>;

/// Watches orders of the table until `shutdown` is cancelled.
pub fn live(orders: OrdersTable, shutdown: CancellationToken) -> Live {
    Watchers::new(VIEWERS, shutdown, move |id| {
        let orders = orders.clone();
        async move { orders.get(id).await }
    })
}
