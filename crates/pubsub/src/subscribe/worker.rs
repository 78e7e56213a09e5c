//! The state that the parts of the runtime share.

use std::sync::Arc;

use aws_config::SdkConfig;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    due::Due,
    in_flight::InFlight,
    liveness::Liveness,
    queue::{Queue, QueueAttributes},
    settings::Settings,
};

/// A running subscription.
pub struct Worker {
    pub queue: Queue,
    pub attributes: QueueAttributes,
    pub in_flight: InFlight,
    pub liveness: Liveness,
    /// Failed messages of a FIFO queue.
    pub due: Due,
    pub settings: Settings,
    /// One for each message that may be in flight.
    pub permits: Arc<Semaphore>,
    /// Cancelled when the drain times out. It cancels the handlers.
    pub ending: CancellationToken,
}

impl Worker {
    /// Reads the queue's attributes and prepares a worker, which does not poll yet.
    pub async fn start(aws: &SdkConfig, settings: Settings) -> Arc<Self> {
        let queue = Queue::new(aws, &settings);
        let attributes = queue.attributes().await;
        Arc::new(Self {
            in_flight: InFlight::new(attributes.visibility, settings.handler_deadline),
            permits: Arc::new(Semaphore::new(settings.max_in_flight)),
            liveness: Liveness::new(),
            due: Due::default(),
            ending: CancellationToken::new(),
            queue,
            attributes,
            settings,
        })
    }

    /// The result of a health check: the state, or the reason why the worker is unhealthy.
    pub fn examine(&self) -> Result<String, String> {
        let (in_flight, oldest) = self.in_flight.count_and_oldest();
        let since_poll = self.liveness.examine(self.settings.receive_wait)?;
        if oldest > 2 * self.settings.handler_deadline {
            return Err(format!("a handler has been running for {} s", oldest.as_secs()));
        }
        Ok(format!("ok: {in_flight} messages in flight, last poll {} s ago", since_poll.as_secs()))
    }
}
