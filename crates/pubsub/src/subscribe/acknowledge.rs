//! Deletes processed messages.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{back_off::full_jitter, queue::EntryResult, received::MessageId, worker::Worker};

const RETRY_BASE: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// Each of how many failures of a delete is logged.
const LOG_EVERY: u32 = 20;

/// Deletes up to ten messages, and retries without limit.
///
/// Until a message is deleted, its lease is renewed, and redeliveries are not handled. Each attempt
/// uses the newest receipt handle.
pub async fn delete(worker: Arc<Worker>, mut ids: Vec<MessageId>) {
    for attempt in 1.. {
        ids = try_delete(&worker, &ids, attempt).await;
        if ids.is_empty() {
            break;
        }
        sleep(full_jitter(RETRY_BASE, RETRY_MAX, attempt)).await;
    }
}

/// Returns the messages that are not deleted yet.
async fn try_delete(worker: &Worker, ids: &[MessageId], attempt: u32) -> Vec<MessageId> {
    let leases = worker.in_flight.newest_leases(ids);
    let results = match worker.queue.delete(&leases).await {
        Ok(results) => {
            worker.liveness.delete_succeeded();
            results
        }
        Err(error) => {
            worker.liveness.delete_failed(&error);
            vec![EntryResult::Failed(error.to_string()); leases.len()]
        }
    };
    let mut left = Vec::new();
    for (lease, result) in leases.into_iter().zip(results) {
        match result {
            // With an invalid handle, the message is already deleted, or a redelivery brings a
            // valid one.
            EntryResult::Done | EntryResult::InvalidHandle => {
                if !worker.in_flight.deleted(&lease) {
                    left.push(lease.id);
                }
            }
            EntryResult::Failed(reason) => {
                // Again every minute or two, so that a failure that lasts is not missed.
                if attempt % LOG_EVERY == 1 {
                    tracing::warn!(
                        message.id = %lease.id,
                        attempt,
                        reason,
                        "delete failed; it will be retried"
                    );
                }
                left.push(lease.id);
            }
        }
    }
    left
}
