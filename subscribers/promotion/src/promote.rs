//! The business logic of promotion.

use orders::{event::Event, order::Order, report::Reporter};
use pubsub::{notification::Notification, subscribe::Failure};

use crate::coupons_table::CouponsTable;

/// Grants coupons.
#[derive(Clone)]
pub struct Promotion {
    /// Publishes progress.
    pub reporter: Reporter,
    /// The coupons granted so far.
    pub coupons: CouponsTable,
}

impl Promotion {
    /// Handles one message: grants a coupon for an order.
    ///
    /// The filter policy of the subscription decides which orders arrive here, so no rule about
    /// totals stands in the code. However often a message is delivered, its order has the coupon
    /// that the first delivery stored.
    pub async fn handle(self, notification: Notification) -> Result<(), Failure> {
        match Event::read(&notification)? {
            Event::OrderPlaced(order) => self.promote(&order, notification.attempt).await?,
            Event::Ping(_) => tracing::debug!("ignored a ping"),
        }
        Ok(())
    }

    async fn promote(&self, order: &Order, attempt: u32) -> anyhow::Result<()> {
        let progress = self.reporter.begin(order, attempt);
        let coupon = self.coupons.grant(order.id).await?;
        progress.done("granted", vec![coupon.attachment()]).await?;
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
