//! Gives back messages that were not handled with success: visible again, at once or after a while.

use std::{sync::Arc, time::Duration};

use super::{queue::Answer, received::Lease, worker::Worker};

/// Tells the queue when up to ten messages are to be visible again.
///
/// If it cannot be told, they are when their visibility timeout ends: later, and nothing is lost.
pub async fn release(worker: Arc<Worker>, leases: Vec<(Lease, Duration)>) {
    if !worker.queue.may_change_visibility() {
        return;
    }
    let changes = leases.iter().map(|(lease, visible_in)| (lease, *visible_in));
    match worker.queue.change_visibility(changes).await {
        Ok(answers) => {
            for ((lease, _), answer) in leases.iter().zip(answers) {
                if let Answer::Failed(reason) = answer {
                    tracing::debug!(message.id = %lease.id, reason, "not given back early");
                }
            }
        }
        Err(error) => tracing::debug!(reason = %error, "messages are not given back early"),
    }
}
