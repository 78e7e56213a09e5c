//! Polls the queue, and never receives more messages than there are free permits.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    back_off::full_jitter,
    group::{by_group, handle_in_order},
    handle::{Outgoing, handle},
    handler::Call,
    queue::BATCH,
    received::Received,
    spans,
    worker::Worker,
};

/// From this many messages on, another poller may be worthwhile. SQS asks a sample of its servers,
/// so a poll brings fewer than ten although there are more.
const ENOUGH: usize = BATCH / 2;
/// After how many polls in a row that brought enough another poller is tried.
const ENOUGH_IN_A_ROW: usize = 10;
/// How many of these a poll counts for that brought all it asked for: two are a backlog.
const FULL_COUNTS: usize = ENOUGH_IN_A_ROW / 2;
/// How long a poll waits for enough permits to be worth a request.
const GATHER: Duration = Duration::from_millis(200);
/// The shortest time between polls while dependencies are unavailable.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// The shortest time between polls that return fewer messages than they asked for: under load they
/// would return one each, as soon as it comes. So messages share requests, and one waits for that
/// time at most.
const FEW_INTERVAL: Duration = Duration::from_millis(20);
/// The shortest time between empty polls, for a queue that answers without waiting.
const EMPTY_INTERVAL: Duration = Duration::from_millis(200);
const RETRY_BASE: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(20);

/// The pollers of a subscription: one, and more while polls return many messages.
pub struct Intake<H> {
    worker: Arc<Worker>,
    handlers: TaskTracker,
    outgoing: Outgoing,
    handler: Arc<H>,
    shutdown: CancellationToken,
    /// The pollers except the first.
    extra: TaskTracker,
}

impl<H: Call> Intake<H> {
    pub fn new(
        worker: &Arc<Worker>,
        handlers: &TaskTracker,
        outgoing: &Outgoing,
        handler: &Arc<H>,
        shutdown: &CancellationToken,
    ) -> Self {
        Self {
            worker: Arc::clone(worker),
            handlers: handlers.clone(),
            outgoing: outgoing.clone(),
            handler: Arc::clone(handler),
            shutdown: shutdown.clone(),
            extra: TaskTracker::new(),
        }
    }

    /// Polls until the shutdown, and returns when the polls in progress have ended.
    pub async fn poll_until_shutdown(self) {
        let (mut failures, mut enough) = (0, 0);
        while let Some(room) = self.room().await {
            let began = Instant::now();
            match self.poll(room).await {
                Ok(poll) => {
                    failures = 0;
                    self.add_poller_after(&poll, &mut enough);
                    self.rest(began, &poll).await;
                }
                Err(()) => {
                    failures += 1;
                    let pause = sleep(full_jitter(RETRY_BASE, RETRY_MAX, failures));
                    self.shutdown.run_until_cancelled(pause).await;
                }
            }
        }
        self.extra.close();
        self.extra.wait().await;
    }

    /// Adds a poller if this poll and those before it say that there is more than one brings.
    /// `enough` counts polls in a row that brought enough.
    fn add_poller_after(&self, poll: &Poll, enough: &mut usize) {
        *enough = match poll {
            few if few.received < ENOUGH => 0,
            full if full.is_full() => *enough + FULL_COUNTS,
            _ => *enough + 1,
        };
        if *enough >= ENOUGH_IN_A_ROW {
            *enough = 0;
            self.add_poller();
        }
    }

    /// Adds a poller, unless there is already one for each ten messages in flight.
    fn add_poller(&self) {
        let most = (self.worker.settings.max_in_flight / BATCH).max(1);
        let added =
            self.worker.pollers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |pollers| {
                (pollers < most).then_some(pollers + 1)
            });
        if added.is_ok() {
            let intake = self.clone();
            self.extra.spawn(async move { intake.poll_while_enough().await });
        }
    }

    async fn poll_while_enough(self) {
        let mut enough = 0;
        while let Some(room) = self.room().await {
            let began = Instant::now();
            match self.poll(room).await {
                Ok(poll) if poll.received >= ENOUGH => {
                    self.add_poller_after(&poll, &mut enough);
                    self.rest(began, &poll).await;
                }
                _ => break,
            }
        }
        self.worker.pollers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Waits after a poll that began then, unless it was full: the next one returns more.
    async fn rest(&self, began: Instant, poll: &Poll) {
        let interval = match poll {
            full if full.is_full() => return,
            Poll { received: 0, .. } => EMPTY_INTERVAL,
            _ => FEW_INTERVAL,
        };
        self.shutdown.run_until_cancelled(sleep_until(began + interval)).await;
    }

    /// Permits for the next poll: one to ten of the free ones. `None` after the shutdown. While
    /// dependencies are unavailable, this waits.
    ///
    /// Under load, permits become free one at a time, and polling for each would take one request
    /// per message. So this waits up to 200 ms for a tenth of all permits, but not more than ten.
    async fn room(&self) -> Option<Room> {
        let permits = &self.worker.permits;
        let worthwhile = (self.worker.settings.max_in_flight / BATCH).clamp(1, BATCH);
        let gathered = async {
            let whole = Arc::clone(permits).acquire_many_owned(u32::try_from(worthwhile).ok()?);
            let mut room = match timeout(GATHER, whole).await {
                Ok(room) => room.ok()?,
                Err(_) => Arc::clone(permits).acquire_owned().await.ok()?,
            };
            while room.num_permits() < BATCH {
                let Ok(one) = Arc::clone(permits).try_acquire_owned() else {
                    break;
                };
                room.merge(one);
            }
            let limit = self.limit().await;
            Some(Room { permits: room, limit })
        };
        self.shutdown.run_until_cancelled(gathered).await?
    }

    /// How many messages a poll may return. While the breaker is open, this waits, unless there is
    /// no message left whose handler would probe: then one is received for that.
    async fn limit(&self) -> usize {
        loop {
            let closed = timeout(PROBE_INTERVAL, self.worker.breaker.closed()).await;
            match closed {
                Ok(limit) => return limit,
                Err(_) if self.worker.in_flight.is_empty() => return 1,
                Err(_) => {}
            }
        }
    }

    /// Receives at most one message for each permit, and starts their handlers.
    async fn poll(&self, Room { permits: mut room, limit }: Room) -> Result<Poll, ()> {
        let worker = &self.worker;
        worker.liveness.poll_started();
        let is_fifo = worker.queue.is_fifo();
        let most = room.num_permits().min(limit);
        let max = if is_fifo && worker.due.is_now() { 1 } else { most };
        let visibility = worker.attributes().visibility;
        let receive = worker.queue.receive(max, visibility, H::KEEPS_ENVELOPE);
        // Messages that arrive after the drain stay hidden until their visibility timeout ends.
        let Some(received) = worker.ending.run_until_cancelled(receive).await else {
            return Err(());
        };
        worker.liveness.poll_ended(received.as_ref().err());
        let messages = received.map_err(|error| {
            tracing::warn!(reason = %error, "receive failed; it will be retried");
        })?;
        worker.metrics.received(messages.len());
        spans::receive(worker.queue.name(), &messages);
        let poll = Poll { received: messages.len(), asked: max };
        if is_fifo {
            for group in by_group(messages) {
                let Some(permits) = room.split(group.len()) else { break };
                self.handle_in_order(group, permits);
            }
        } else {
            for message in messages {
                // Each message holds a permit; dropping `room` frees the rest.
                let Some(permit) = room.split(1) else { break };
                self.handle(message, permit);
            }
        }
        Ok(poll)
    }

    fn handle(&self, message: Received, permit: OwnedSemaphorePermit) {
        let (worker, outgoing) = (Arc::clone(&self.worker), self.outgoing.clone());
        let handler = Arc::clone(&self.handler);
        self.handlers.spawn(async move {
            let admission = worker.in_flight.admit(&message.lease, &worker.ending);
            // What is not processed is redelivered.
            let _ = handle(&worker, &outgoing, &handler, message, admission).await;
            drop(permit);
        });
    }

    fn handle_in_order(&self, group: Vec<Received>, permits: OwnedSemaphorePermit) {
        let (worker, outgoing) = (Arc::clone(&self.worker), self.outgoing.clone());
        let handler = Arc::clone(&self.handler);
        self.handlers.spawn(async move {
            handle_in_order(&worker, &outgoing, &handler, group, permits).await;
        });
    }
}

impl<H> Clone for Intake<H> {
    fn clone(&self) -> Self {
        Self {
            worker: Arc::clone(&self.worker),
            handlers: self.handlers.clone(),
            outgoing: self.outgoing.clone(),
            handler: Arc::clone(&self.handler),
            shutdown: self.shutdown.clone(),
            extra: self.extra.clone(),
        }
    }
}

/// The messages that a poll may return: one for each permit, and no more than the limit.
struct Room {
    permits: OwnedSemaphorePermit,
    limit: usize,
}

/// What a poll returned, and what it asked for.
struct Poll {
    received: usize,
    asked: usize,
}

impl Poll {
    /// Whether there may be more: the next poll need not wait.
    fn is_full(&self) -> bool {
        self.received == self.asked
    }
}
