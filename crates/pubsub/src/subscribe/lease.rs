//! Renews the leases of messages in flight, so that SQS does not redeliver them.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    queue::{BATCH, EntryResult},
    received::Lease,
    worker::Worker,
};

const TICK: Duration = Duration::from_secs(1);

/// Renews the leases that are due, once a second. Never returns.
pub async fn renew_forever(worker: Arc<Worker>) {
    // Each call has its own task, so that a slow call does not delay other leases.
    let mut calls = JoinSet::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        worker.liveness.renewal_ticked();
        while calls.try_join_next().is_some() {}
        for leases in worker.in_flight.due().chunks(BATCH) {
            if worker.queue.may_change_visibility() {
                let worker = Arc::clone(&worker);
                let leases = leases.to_vec();
                calls.spawn(async move { renew(&worker, &leases).await });
            }
        }
    }
}

async fn renew(worker: &Worker, leases: &[Lease]) {
    let since = Instant::now();
    let visibility = worker.attributes().visibility;
    let changes = leases.iter().map(|lease| (lease, visibility));
    let results = match worker.queue.change_visibility(changes).await {
        Ok(results) => results,
        Err(error) => {
            tracing::debug!(reason = %error, "lease renewal failed; it will be retried");
            return;
        }
    };
    for (lease, result) in leases.iter().zip(results) {
        match result {
            EntryResult::Done => {
                worker.metrics.lease(false);
                worker.in_flight.renewed(lease, since);
            }
            EntryResult::InvalidHandle => {
                worker.metrics.lease(true);
                worker.in_flight.lost(lease);
            }
            EntryResult::Failed(reason) => {
                tracing::debug!(
                    message.id = %lease.id,
                    reason,
                    "lease renewal failed; it will be retried"
                );
            }
        }
    }
}
