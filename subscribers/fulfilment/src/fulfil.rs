//! The business logic of fulfilment.

use std::time::Duration;

use figlet_rs::FIGlet;
use orders::{
    event::Event,
    order::{CustomerName, Order},
    report::Reporter,
};
use pubsub::{
    notification::Notification,
    subscribe::{Failure, Handler},
};
use tokio::time::sleep;

#[cfg(test)]
mod tests;

/// The steps of fulfilling an order.
const STEPS: [&str; 3] = ["picked", "packed", "shipped"];

/// The handler of fulfilment.
pub struct Fulfilment {
    /// Publishes reports.
    pub reporter: Reporter,
    /// How long each step takes.
    pub pace: Duration,
    /// Whether to log the customer's name in large letters.
    pub banner: bool,
}

/// Fulfils orders, and logs pings.
///
/// It is idempotent: its only effect is the report, and a duplicate report changes nothing.
impl Handler<Event> for Fulfilment {
    async fn handle(&self, event: Event, notification: Notification) -> Result<(), Failure> {
        match event {
            Event::OrderPlaced(order) => self.fulfil(&order, &notification).await?,
            Event::Ping(message) => tracing::info!(ping = message, "received a ping"),
        }
        Ok(())
    }
}

impl Fulfilment {
    async fn fulfil(&self, order: &Order, notification: &Notification) -> anyhow::Result<()> {
        let mut progress = self.reporter.begin(order, notification);
        if self.banner {
            let letters = large(&order.customer);
            let letters = letters.trim_end();
            tracing::info!(order.id = %order.id, "fulfilling the order of\n{letters}\n");
        }
        for step in STEPS {
            // Without a pace, the last report contains all steps: one message per order.
            if !self.pace.is_zero() {
                tokio::join!(progress.publish(), sleep(self.pace));
            }
            progress.note(step);
        }
        progress.done("fulfilled", Vec::new()).await?;
        let (id, amount, attempt) = (order.id, order.amount, notification.attempt);
        tracing::info!(order.id = %id, %amount, attempt, "order fulfilled");
        Ok(())
    }
}

/// The name in slanted letters, or unchanged if the font lacks one of its characters.
fn large(customer: &CustomerName) -> String {
    let letters =
        FIGlet::slant().ok().and_then(|font| Some(font.convert(customer.as_str())?.to_string()));
    letters.unwrap_or_else(|| customer.to_string())
}
