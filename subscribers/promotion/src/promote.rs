//! The business logic of promotion.

use orders::{event::Event, order::Order, report::Reporter};
use pubsub::{
    notification::Notification,
    subscribe::{Failure, Handler},
};

use crate::coupons_table::CouponsTable;

#[cfg(test)]
mod tests;

/// The handler of promotion.
pub struct Promotion {
    /// Publishes reports.
    pub reporter: Reporter,
    /// Stores the coupons.
    pub coupons: CouponsTable,
}

/// Grants a coupon for each order, and ignores pings.
///
/// The subscription's filter policy selects the orders, so the code does not check their totals.
/// It is idempotent: a redelivery reports the coupon that the first delivery stored.
impl Handler<Event> for Promotion {
    async fn handle(&self, event: Event, notification: Notification) -> Result<(), Failure> {
        match event {
            Event::OrderPlaced(order) => self.promote(&order, &notification).await?,
            Event::Ping(_) => tracing::debug!("ignored a ping"),
        }
        Ok(())
    }
}

impl Promotion {
    async fn promote(&self, order: &Order, notification: &Notification) -> anyhow::Result<()> {
        let progress = self.reporter.begin(order, notification);
        let coupon = self.coupons.grant(order.id).await?;
        progress.done("granted", vec![coupon.attachment()]).await?;
        tracing::info!(
            order.id = %order.id,
            coupon.code = %coupon.code,
            coupon.percent = coupon.percent,
            attempt = notification.attempt,
            "coupon granted"
        );
        Ok(())
    }
}
