//! Deletes the messages that were handled with success.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{back_off::full_jitter, queue::Answer, received::MessageId, worker::Worker};

const RETRY_BASE: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Deletes up to ten messages, however long it takes.
///
/// It never gives up: until a message is deleted its lease is renewed, and while the process lives
/// it is not handled again. Every try takes the newest receipt handle.
pub async fn delete(worker: Arc<Worker>, mut ids: Vec<MessageId>) {
    for failures in 1.. {
        ids = try_delete(&worker, &ids, failures).await;
        if ids.is_empty() {
            break;
        }
        sleep(full_jitter(RETRY_BASE, RETRY_MAX, failures)).await;
    }
}

/// Returns the messages that are left to delete.
async fn try_delete(worker: &Worker, ids: &[MessageId], tries: u32) -> Vec<MessageId> {
    let leases = worker.in_flight.newest(ids);
    let answers = match worker.queue.delete(&leases).await {
        Ok(answers) => answers,
        Err(error) => vec![Answer::Failed(error.to_string()); leases.len()],
    };
    let mut left = Vec::new();
    for (lease, answer) in leases.into_iter().zip(answers) {
        match answer {
            // The message is gone, or it comes again with a handle that can delete it.
            Answer::Done | Answer::Invalid => {
                if !worker.in_flight.deleted(&lease) {
                    left.push(lease.id);
                }
            }
            Answer::Failed(reason) => {
                if tries == 1 {
                    tracing::warn!(message.id = %lease.id, reason, "not deleted yet: trying again");
                }
                left.push(lease.id);
            }
        }
    }
    left
}
