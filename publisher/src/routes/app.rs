//! What the handlers share.

use std::sync::Arc;

use archive::Archive;
use axum::http::StatusCode;
use orders::{measure, order::Order};
use pubsub::topic::Topic;
use tokio::sync::mpsc;
use web::{Problem, gate::Gate};

use crate::{
    announcements::OrdersOutbox,
    live::{Live, moving},
    orders_table::{OrdersTable, PlacedOrder, Stored},
};

const TAKEN: &str = "This form was sent before, as another order, which has not changed. \
     Send it again to place this one too.";

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    /// Where orders are stored.
    pub orders: OrdersTable,
    /// Announces the orders.
    pub outbox: OrdersOutbox,
    /// Where new orders go to be announced.
    pub fresh: mpsc::Sender<PlacedOrder>,
    /// The orders under way.
    pub placing: Gate,
    /// The other requests under way that need AWS.
    pub asking: Gate,
    /// The topic `ping`.
    pub ping: Topic,
    /// The orders that have viewers.
    pub live: Live,
    /// The events of the past, if they may be shown.
    pub events: Option<Archive>,
    /// A line of text below the form's total.
    pub offer: Arc<str>,
    /// The URL of a trace, with `{trace}` in place of its id.
    pub traces: Option<Arc<str>>,
}

/// Whether a request placed an order, or repeated one that had placed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    First,
    Again,
}

impl App {
    /// Accepts an order. From here on it will be announced, despite crashes.
    pub async fn place(&self, order: &Order) -> Result<(PlacedOrder, Arrival), Problem> {
        let _place = self.placing.enter().inspect_err(|_| measure::refused("overloaded"))?;
        let lease = self.outbox.keep_pace().await;
        let stored = self.orders.store(order, lease).await;
        let stored = stored.inspect_err(|_| measure::refused("unavailable"));
        match stored.map_err(Problem::unavailable)? {
            Stored::New(placed) => {
                measure::accepted();
                tracing::info!(order.id = %order.id, amount = %order.amount, "order stored");
                self.live.flow.changed(|| moving(&placed));
                // If the channel is full, the sweep finds the order in the index.
                let _ = self.fresh.try_send(placed.clone());
                Ok((placed, Arrival::First))
            }
            Stored::Again(placed) => Ok((placed, Arrival::Again)),
            Stored::Taken => Err(Problem::new(StatusCode::CONFLICT, TAKEN)),
        }
    }
}
