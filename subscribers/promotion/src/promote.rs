//! What promotion does with what it receives.

use pubsub::{
    event::Event, notification::Notification, order::Order, status::Reporter, subscribe::Failure,
};

use crate::coupons_table::CouponsTable;

/// How this service works.
#[derive(Clone)]
pub struct Promotion {
    /// Tells what is done.
    pub reporter: Reporter,
    /// Where the coupons are.
    pub coupons: CouponsTable,
}

impl Promotion {
    /// Handles one message: an order that is large enough earns a coupon.
    ///
    /// However often a message is delivered, its order has the coupon that the first delivery
    /// stored.
    pub async fn handle(self, notification: Notification) -> Result<(), Failure> {
        match Event::read(&notification)? {
            Event::OrderPlaced(order) if order.earns_coupon() => {
                self.promote(&order, notification.attempt).await?;
            }
            // A changed filter policy takes up to 15 minutes to have effect, so these do arrive.
            Event::OrderPlaced(order) => tracing::debug!(order.id = %order.id, "earns no coupon"),
            Event::Ping(_) => tracing::debug!("promotion has no use for a ping"),
        }
        Ok(())
    }

    async fn promote(&self, order: &Order, attempt: u32) -> anyhow::Result<()> {
        let progress = self.reporter.start(order, attempt);
        let coupon = self.coupons.grant(order.id).await?;
        progress.done("granted", Some(coupon.clone())).await?;
        tracing::info!(
            order.id = %order.id,
            coupon.code = %coupon.code,
            coupon.percent = coupon.percent,
            attempt,
            "coupon granted"
        );
        Ok(())
    }
}
