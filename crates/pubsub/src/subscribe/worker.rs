//! The state that the parts of the runtime share.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use aws_config::SdkConfig;
use tokio::{sync::Semaphore, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    breaker::Breaker,
    due::Due,
    in_flight::InFlight,
    liveness::Liveness,
    metrics::Metrics,
    queue::{Queue, QueueAttributes},
    settings::Settings,
};

/// How long after a failure the queue's attributes are read again.
const ATTRIBUTES_RETRY: Duration = Duration::from_secs(20);

/// A running subscription.
pub struct Worker {
    pub queue: Queue,
    attributes: Mutex<QueueAttributes>,
    pub in_flight: InFlight,
    pub liveness: Liveness,
    pub breaker: Breaker,
    pub metrics: Metrics,
    /// How many requests may wait for messages at present.
    pub pollers: AtomicUsize,
    /// Failed messages of a FIFO queue.
    pub due: Due,
    pub settings: Settings,
    /// One for each message that may be in flight.
    pub permits: Arc<Semaphore>,
    /// Cancelled when the worker is asked to exit.
    pub stopping: CancellationToken,
    /// Cancelled when the drain times out. It cancels the handlers.
    pub ending: CancellationToken,
}

impl Worker {
    /// Reads the queue's attributes and prepares a worker, which does not poll yet.
    ///
    /// If they cannot be read, the worker assumes defaults, and [`Worker::read_attributes`] has to
    /// run.
    pub async fn start(aws: &SdkConfig, settings: Settings) -> (Arc<Self>, bool) {
        let queue = Queue::new(aws, &settings);
        let read = queue.attributes().await;
        let are_known = read.is_ok();
        let attributes = read.unwrap_or_else(|reason| {
            let assumed = QueueAttributes::default();
            tracing::warn!(
                reason,
                visibility_seconds = assumed.visibility.as_secs(),
                max_receives = assumed.max_receives,
                "cannot read the queue's settings; assuming defaults until it can"
            );
            assumed
        });
        let worker = Self {
            in_flight: InFlight::new(attributes.visibility, settings.handler_deadline),
            permits: Arc::new(Semaphore::new(settings.max_in_flight)),
            breaker: Breaker::new(settings.max_in_flight),
            metrics: Metrics::new(queue.name()),
            pollers: AtomicUsize::new(1),
            liveness: Liveness::new(),
            due: Due::default(),
            stopping: CancellationToken::new(),
            ending: CancellationToken::new(),
            queue,
            attributes: Mutex::new(attributes),
            settings,
        };
        (Arc::new(worker), are_known)
    }

    /// Reads the queue's attributes until that succeeds.
    pub async fn read_attributes(self: Arc<Self>) {
        loop {
            sleep(ATTRIBUTES_RETRY).await;
            match self.queue.attributes().await {
                Ok(attributes) => {
                    self.in_flight.set_visibility(attributes.visibility);
                    *self.attributes.lock().unwrap_or_else(PoisonError::into_inner) = attributes;
                    tracing::info!("read the queue's settings");
                    return;
                }
                Err(reason) => tracing::debug!(reason, "cannot read the queue's settings yet"),
            }
        }
    }

    /// The queue's attributes, or those that are assumed.
    pub fn attributes(&self) -> QueueAttributes {
        *self.attributes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result of a health check: the state, or the reason why the worker is unhealthy.
    pub fn examine(&self) -> Result<String, String> {
        let (in_flight, oldest) = self.in_flight.count_and_oldest();
        let since_poll = self.liveness.examine(self.settings.receive_wait)?;
        if oldest > 2 * self.settings.handler_deadline {
            return Err(format!("a handler has been running for {} s", oldest.as_secs()));
        }
        let waits = if self.breaker.is_open() { ", dependencies are unavailable" } else { "" };
        let seconds = since_poll.as_secs();
        Ok(format!("ok: {in_flight} messages in flight, last poll {seconds} s ago{waits}"))
    }
}
