//! The business logic of fulfilment.

use std::time::Duration;

use figlet_rs::FIGlet;
use orders::{
    event::Event,
    order::{CustomerName, Order},
    report::Reporter,
};
use pubsub::{notification::Notification, subscribe::Failure};
use tokio::time::sleep;

/// The steps of fulfilling an order.
const STEPS: [&str; 3] = ["picked", "packed", "shipped"];

/// Fulfils orders.
#[derive(Clone)]
pub struct Fulfilment {
    /// Publishes progress.
    pub reporter: Reporter,
    /// How long each step takes.
    pub pace: Duration,
    /// Whether the customer's name is logged in large letters.
    pub banner: bool,
}

impl Fulfilment {
    /// Handles one message: fulfils an order, or shows a ping.
    ///
    /// Its only effect is the report, and a second report changes nothing. So a redelivered message
    /// is simply handled again.
    pub async fn handle(self, notification: Notification) -> Result<(), Failure> {
        match Event::read(&notification)? {
            Event::OrderPlaced(order) => self.fulfil(&order, notification.attempt).await?,
            Event::Ping(message) => tracing::info!(ping = message, "received a ping"),
        }
        Ok(())
    }

    async fn fulfil(&self, order: &Order, attempt: u32) -> anyhow::Result<()> {
        let mut progress = self.reporter.begin(order, attempt);
        if self.banner {
            // The fields of the line follow the letters.
            let letters = large(&order.customer);
            tracing::info!(order.id = %order.id, "fulfilling the order of\n{}\n", letters.trim_end());
        }
        for step in STEPS {
            // Steps that take no time share one report, which keeps it at one message an order.
            if !self.pace.is_zero() {
                tokio::join!(progress.publish(), sleep(self.pace));
            }
            progress.note(step);
        }
        progress.done("fulfilled", Vec::new()).await?;
        tracing::info!(order.id = %order.id, amount = %order.amount, attempt, "order fulfilled");
        Ok(())
    }
}

/// The name in slanted letters, or as it is if the font lacks one of its letters.
fn large(customer: &CustomerName) -> String {
    let letters =
        FIGlet::slant().ok().and_then(|font| Some(font.convert(customer.as_str())?.to_string()));
    letters.unwrap_or_else(|| customer.to_string())
}
