//! Projects the workers' reports onto the orders.

use orders::report::Report;
use pubsub::subscribe::Failure;

use crate::{live::Live, orders_table::OrdersTable};

/// Handles one report from the status queue.
///
/// Any task of the publisher may receive it. If this task has viewers of the order, they see the
/// change at once; other tasks find it in the table.
pub async fn project(report: Report, orders: OrdersTable, live: Live) -> Result<(), Failure> {
    let id = report.order_id;
    match orders.project(&report).await? {
        Some(placed) => {
            tracing::debug!(order.id = %id, order.version = placed.version, "report projected");
            live.changed(&id, placed);
        }
        None => tracing::debug!(order.id = %id, "report ignored: duplicate or unknown order"),
    }
    Ok(())
}
