//! What fulfilment does with what it receives.

use figlet_rs::FIGlet;
use pubsub::{
    event::Event,
    notification::Notification,
    order::{CustomerName, Order},
    subscribe::Failure,
};

/// Handles one message: fulfils an order, or shows a ping.
///
/// Fulfilling twice does no harm, so a message that is delivered again is simply handled again.
pub async fn handle(notification: Notification, banner: bool) -> Result<(), Failure> {
    match Event::read(&notification)? {
        Event::OrderPlaced(order) => fulfil(&order, notification.attempt, banner),
        Event::Ping(message) => tracing::info!(ping = message, "received a ping"),
    }
    Ok(())
}

fn fulfil(order: &Order, attempt: u32, banner: bool) {
    if banner {
        tracing::info!("fulfilling the order of\n{}", large(&order.customer).trim_end());
    }
    tracing::info!(order.id = %order.id, amount = %order.amount, attempt, "order fulfilled");
}

/// The name in slanted letters, or as it is if the font lacks one of them.
fn large(customer: &CustomerName) -> String {
    let letters =
        FIGlet::slant().ok().and_then(|font| Some(font.convert(customer.as_str())?.to_string()));
    letters.unwrap_or_else(|| customer.to_string())
}
