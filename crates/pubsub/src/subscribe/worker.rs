//! What the parts of the runtime share.

use std::{sync::Arc, time::Duration};

use aws_config::SdkConfig;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    in_flight::InFlight,
    queue::{Queue, Rules},
    settings::Settings,
    vital_signs::VitalSigns,
};

/// What the parts of the runtime share.
pub struct Worker {
    pub queue: Queue,
    pub rules: Rules,
    pub in_flight: InFlight,
    pub vital_signs: VitalSigns,
    pub settings: Settings,
    pub permits: Arc<Semaphore>,
    /// Cancelled when the time to finish is over; handlers are cancelled then.
    pub ending: CancellationToken,
}

impl Worker {
    /// Asks the queue for its rules, and is ready to work by them.
    pub async fn start(aws: &SdkConfig, settings: Settings) -> Arc<Self> {
        let queue = Queue::new(aws, &settings);
        let rules = queue.rules().await;
        Arc::new(Self {
            in_flight: InFlight::new(rules.visibility, settings.handler_deadline),
            permits: Arc::new(Semaphore::new(settings.max_in_flight)),
            vital_signs: VitalSigns::new(),
            ending: CancellationToken::new(),
            queue,
            rules,
            settings,
        })
    }

    /// The answer to a health check: `Ok` with the state, or `Err` with what is wrong.
    pub fn examine(&self) -> Result<String, String> {
        let (in_flight, oldest) = self.in_flight.census();
        let since_poll = self.vital_signs.examine(self.settings.receive_wait)?;
        if oldest > 2 * self.settings.handler_deadline {
            return Err(format!("a handler has been running for {} s", oldest.as_secs()));
        }
        Ok(format!("ok: {in_flight} messages in flight, last poll {} s ago", since_poll.as_secs()))
    }

    /// The longest that a handler may take.
    pub fn deadline(&self) -> Duration {
        self.settings.handler_deadline
    }
}
