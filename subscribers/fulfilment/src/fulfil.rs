//! What fulfilment does with what it receives.

use std::time::Duration;

use figlet_rs::FIGlet;
use pubsub::{
    event::Event,
    notification::Notification,
    order::{CustomerName, Order},
    status::Reporter,
    subscribe::Failure,
};
use tokio::time::sleep;

/// What is done with an order, in this order.
const STEPS: [&str; 3] = ["picked", "packed", "shipped"];

/// How this service works.
#[derive(Clone)]
pub struct Fulfilment {
    /// Tells what is done.
    pub reporter: Reporter,
    /// How long each step takes.
    pub pace: Duration,
    /// Whether the customer's name is shown in large letters.
    pub banner: bool,
}

impl Fulfilment {
    /// Handles one message: fulfils an order, or shows a ping.
    ///
    /// Its effect is that it tells so. To tell it twice changes nothing, so a message that is
    /// delivered again is simply handled again.
    pub async fn handle(self, notification: Notification) -> Result<(), Failure> {
        match Event::read(&notification)? {
            Event::OrderPlaced(order) => self.fulfil(&order, notification.attempt).await?,
            Event::Ping(message) => tracing::info!(ping = message, "received a ping"),
        }
        Ok(())
    }

    async fn fulfil(&self, order: &Order, attempt: u32) -> anyhow::Result<()> {
        let mut progress = self.reporter.start(order, attempt);
        if self.banner {
            // What follows the letters begins a new line.
            tracing::info!("fulfilling the order of\n{}\n", large(&order.customer).trim_end());
        }
        for step in STEPS {
            // Steps that take no time are told together: one message an order.
            if !self.pace.is_zero() {
                tokio::join!(progress.tell(), sleep(self.pace));
            }
            progress.note(step);
        }
        progress.done("fulfilled", None).await?;
        tracing::info!(order.id = %order.id, amount = %order.amount, attempt, "order fulfilled");
        Ok(())
    }
}

/// The name in slanted letters, or as it is if the font lacks one of them.
fn large(customer: &CustomerName) -> String {
    let letters =
        FIGlet::slant().ok().and_then(|font| Some(font.convert(customer.as_str())?.to_string()));
    letters.unwrap_or_else(|| customer.to_string())
}
