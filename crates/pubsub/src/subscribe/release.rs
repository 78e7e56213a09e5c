//! Releases messages that were not processed: SQS makes them visible again, at once or later.

use std::{sync::Arc, time::Duration};

use super::{queue::EntryResult, received::Lease, worker::Worker};

/// Sets when up to ten messages become visible again.
///
/// If this fails, they become visible when their visibility timeout ends.
pub async fn release(worker: Arc<Worker>, leases: Vec<(Lease, Duration)>) {
    if !worker.queue.may_change_visibility() {
        return;
    }
    let changes = leases.iter().map(|(lease, visible_in)| (lease, *visible_in));
    match worker.queue.change_visibility(changes).await {
        Ok(results) => {
            for ((lease, _), result) in leases.iter().zip(results) {
                if let EntryResult::Failed(reason) = result {
                    tracing::debug!(message.id = %lease.id, reason, "release failed");
                }
            }
        }
        Err(error) => tracing::debug!(reason = %error, "release failed"),
    }
}
