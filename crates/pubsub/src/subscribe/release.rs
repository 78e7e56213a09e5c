//! Releases messages that were not processed: SQS makes them visible again, at once or later.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{back_off::full_jitter, queue::EntryResult, received::Lease, worker::Worker};

/// How often a release is tried.
const ATTEMPTS: u32 = 3;
const RETRY_BASE: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Sets when up to ten messages become visible again, and retries those that SQS reports as failed.
///
/// If this fails, they become visible when their visibility timeout ends. A call without an answer
/// is not retried: it may have taken effect, and the messages may be another worker's by then.
pub async fn release(worker: Arc<Worker>, mut leases: Vec<(Lease, Duration)>) {
    for attempt in 1..=ATTEMPTS {
        if !worker.queue.may_change_visibility() {
            return;
        }
        leases = try_release(&worker, leases).await;
        if leases.is_empty() {
            return;
        }
        if attempt < ATTEMPTS {
            sleep(full_jitter(RETRY_BASE, RETRY_MAX, attempt)).await;
        }
    }
}

/// Returns the messages that SQS did not release.
async fn try_release(worker: &Worker, leases: Vec<(Lease, Duration)>) -> Vec<(Lease, Duration)> {
    let changes = leases.iter().map(|(lease, visible_in)| (lease, *visible_in));
    match worker.queue.change_visibility(changes).await {
        Ok(results) => {
            let mut left = Vec::new();
            for (lease, result) in leases.into_iter().zip(results) {
                if let EntryResult::Failed(reason) = result {
                    tracing::debug!(message.id = %lease.0.id, reason, "release failed");
                    left.push(lease);
                }
            }
            left
        }
        Err(error) => {
            tracing::debug!(reason = %error, "release failed");
            Vec::new()
        }
    }
}
