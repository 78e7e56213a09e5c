//! What promotion does with what it receives.

use pubsub::{event::Event, notification::Notification, order::Order, subscribe::Failure};
use rust_decimal::Decimal;

use crate::coupons_table::CouponsTable;

/// The smallest total that earns a coupon; the subscription's filter policy says the same.
const THRESHOLD: Decimal = Decimal::from_parts(80, 0, 0, false, 0);

/// Handles one message: an order of 80 or more earns a coupon.
///
/// However often a message is delivered, its order has the coupon that the first delivery stored.
pub async fn handle(notification: Notification, coupons: CouponsTable) -> Result<(), Failure> {
    match Event::read(&notification)? {
        Event::OrderPlaced(order) if earns_coupon(&order) => {
            let coupon = coupons.grant(order.id).await?;
            tracing::info!(
                order.id = %order.id,
                coupon.code = %coupon.code,
                coupon.percent = coupon.percent,
                attempt = notification.attempt,
                "coupon granted"
            );
        }
        // A changed filter policy takes up to 15 minutes to have effect, so these do arrive.
        Event::OrderPlaced(order) => tracing::debug!(order.id = %order.id, "below the threshold"),
        Event::Ping(_) => tracing::debug!("promotion has no use for a ping"),
    }
    Ok(())
}

fn earns_coupon(order: &Order) -> bool {
    order.amount.to_decimal() >= THRESHOLD
}

#[cfg(test)]
mod tests {
    use pubsub::order::OrderId;

    use super::*;

    fn check(amount: &str, expected: bool) {
        let order = Order {
            id: OrderId::new(),
            customer: "Ada".parse().unwrap(),
            amount: amount.parse().unwrap(),
        };
        assert_eq!(earns_coupon(&order), expected, "an order of {amount}");
    }

    #[test]
    fn an_order_earns_a_coupon_from_80_up() {
        check("0.01", false);
        check("79.99", false);
        check("80", true);
        check("80.01", true);
        check("999999999.99", true);
    }
}
