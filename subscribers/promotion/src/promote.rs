//! The business logic of promotion.

use orders::{event::Event, keep::Keep, order::Order, report::Reporter};
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
    /// How long the table keeps them.
    pub keep: Keep,
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
        // The order may have had a coupon, which has expired: it gets no second one.
        if notification.published_at.is_some_and(|at| self.keep.is_over(at)) {
            tracing::warn!(order.id = %order.id, "no coupon: the order is older than coupons");
            return Ok(());
        }
        let progress = self.reporter.begin(order, notification);
        let coupon = self.coupons.grant(order.id).await?;
        progress.done("granted", vec![coupon.attachment()]).await?;
        tracing::info!(
            order.id = %order.id,
            coupon.percent = coupon.percent,
            attempt = notification.attempt,
            "coupon granted"
        );
        Ok(())
    }
}
