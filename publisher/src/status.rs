//! What the workers tell of orders, projected on the orders.

use pubsub::{notification::Notification, status::Report, subscribe::Failure};

use crate::{live::Live, orders_table::OrdersTable};

/// Handles one message of the status queue.
///
/// Any task of the publisher may get it; one that shows the order to somebody just now shows the
/// change at once, and every other finds it in the table.
pub async fn project(
    notification: Notification,
    orders: OrdersTable,
    live: Live,
) -> Result<(), Failure> {
    let report = Report::read(&notification)?;
    let id = report.order_id;
    match orders.project(&report).await? {
        Some(placed) => {
            tracing::debug!(order.id = %id, order.version = placed.version, "order moved");
            live.changed(&id, placed);
        }
        None => tracing::debug!(order.id = %id, "nothing new, or an order of somebody else"),
    }
    Ok(())
}
