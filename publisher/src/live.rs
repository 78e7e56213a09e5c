//! The orders that have viewers right now, on their own pages or in the picture.

use flow::{Flow, Moving};
use orders::order::OrderId;
use tokio_util::sync::CancellationToken;
use web::{viewers, watch::Watchers};

use crate::orders_table::{OrdersTable, PlacedOrder};

/// The most viewers at once: each holds a connection and about 20 KB. A client may be an office
/// full of people.
const VIEWERS: viewers::Limits = viewers::Limits { in_all: 1_000, of_a_client: 50 };

/// What viewers see.
#[derive(Clone)]
pub struct Live {
    /// One watcher for each order that has viewers.
    pub watchers: Watchers<OrderId, PlacedOrder>,
    /// The picture of how orders flow.
    pub flow: Flow,
}

impl Live {
    /// Orders of the table until `shutdown` is cancelled, and the picture.
    pub fn new(orders: OrdersTable, flow: Flow, shutdown: CancellationToken) -> Self {
        let watchers = Watchers::new(VIEWERS, shutdown, move |id| {
            let orders = orders.clone();
            async move { orders.get(id).await }
        });
        Self { watchers, flow }
    }

    /// Shows an order that this process changed to its viewers.
    pub fn changed(&self, placed: PlacedOrder) {
        self.flow.changed(|| moving(&placed));
        self.watchers.changed(&placed.order.id.clone(), placed);
    }
}

/// An order in the picture.
pub fn moving(placed: &PlacedOrder) -> Moving {
    Moving {
        id: placed.order.id.to_string(),
        placed_at: placed.placed_at,
        version: placed.version,
        amount: placed.order.amount.to_string(),
        announced: placed.announced_at.is_some(),
        stations: placed.timeline().stations,
    }
}
