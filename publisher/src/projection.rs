//! Projects the workers' reports onto the orders.

use orders::{measure, report::Report};
use pubsub::subscribe::Failure;

use crate::{announcements::OrdersOutbox, live::Live, orders_table::OrdersTable};

/// What reports are projected onto.
#[derive(Clone)]
pub struct Projection {
    /// The orders.
    pub orders: OrdersTable,
    /// The orders that have viewers.
    pub live: Live,
    /// Announces orders again that nobody reports.
    pub outbox: OrdersOutbox,
}

impl Projection {
    /// Handles one report from the status queue.
    ///
    /// Any task of the publisher may receive it. If this task has viewers of the order, they see
    /// the change at once; other tasks find it in the table.
    pub async fn project(self, report: Report) -> Result<(), Failure> {
        let id = report.order_id;
        let Some(placed) = self.orders.project(&report).await? else {
            tracing::debug!(order.id = %id, "report ignored: duplicate or unknown order");
            return Ok(());
        };
        tracing::debug!(order.id = %id, order.version = placed.version, "report projected");
        if let Some(time) = placed.completed_by(&report) {
            measure::fulfilled_after(time);
        }
        if !placed.in_outbox {
            self.outbox.reported(&id.to_string(), placed.sent_at);
        }
        self.live.changed(&id, placed);
        Ok(())
    }
}
