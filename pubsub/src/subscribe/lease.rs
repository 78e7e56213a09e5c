//! Keeps messages hidden for as long as they are held.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    Worker,
    queue::{Answer, BATCH},
    received::Lease,
};

const TICK: Duration = Duration::from_secs(1);

/// Renews what needs it, every second, for ever.
pub async fn keep(worker: Arc<Worker>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        worker.vital_signs.ticked();
        for leases in worker.in_flight.due().chunks(BATCH) {
            if worker.queue.may_change_visibility() {
                renew(&worker, leases).await;
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
