//! The business logic of history.

use archive::{Archive, Event};
use orders::keep::Keep;
use pubsub::{
    notification::Notification,
    subscribe::{Envelope, Failure, Handler},
};

#[cfg(test)]
mod tests;

/// The handler of history.
pub struct History {
    /// Where events are kept.
    pub events: Archive,
    /// How long.
    pub keep: Keep,
}

/// Keeps each event, of whatever type, as SNS sent it. A message that did not come
/// through SNS is not an event, so it is poison. A message that was replayed to this queue is kept
/// already, or has expired.
///
/// It is idempotent: a redelivery has the same id, and changes nothing.
impl Handler<Envelope> for History {
    async fn handle(&self, envelope: Envelope, message: Notification) -> Result<(), Failure> {
        let event = Event::new(envelope, &message).map_err(Failure::Poison)?;
        if message.is_replayed() {
            tracing::debug!(event.id = %event.id, "ignored a replay");
            return Ok(());
        }
        let is_new = self.events.keep(&event, self.keep.expires_at()).await?;
        tracing::debug!(event.id = %event.id, is_new, "event kept");
        Ok(())
    }
}
