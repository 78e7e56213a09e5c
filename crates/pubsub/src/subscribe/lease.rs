//! Keeps messages hidden for as long as they are held.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    queue::{Answer, BATCH},
    received::Lease,
    worker::Worker,
};

const TICK: Duration = Duration::from_secs(1);

/// Renews what needs it, every second, for ever.
pub async fn keep(worker: Arc<Worker>) {
    // A call that waits for its answer holds up no other lease.
    let mut calls = JoinSet::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        worker.vital_signs.ticked();
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
    let visibility = worker.rules.visibility;
    let changes = leases.iter().map(|lease| (lease, visibility));
    let answers = match worker.queue.change_visibility(changes).await {
        Ok(answers) => answers,
        Err(error) => {
            tracing::debug!(reason = %error, "leases are not renewed yet");
            return;
        }
    };
    for (lease, answer) in leases.iter().zip(answers) {
        match answer {
            Answer::Done => worker.in_flight.renewed(lease, since),
            Answer::Invalid => {
                worker.in_flight.lost(lease);
            }
            Answer::Failed(reason) => {
                tracing::debug!(message.id = %lease.id, reason, "a lease is not renewed yet");
            }
        }
    }
}
