//! Messages of a FIFO queue: one of a group at a time and in order, groups side by side.
//!
//! SQS returns no further message of a group while one of the group is in flight, but a receive may
//! return several of one group. They are handled one after another. If one is not processed, those
//! behind it go back to the queue, and SQS returns them after it. Each receive counts as an
//! attempt, though: so while a failed message is due, messages are received one at a time, and
//! those behind it do not follow it to the dead-letter queue.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::sync::OwnedSemaphorePermit;

use super::{
    handle::{Outgoing, Redelivered, handle},
    handler::Call,
    in_flight::Admission,
    received::Received,
    worker::Worker,
};

/// The received messages by group, in order. A message without a group is a group of its own.
pub fn by_group(messages: Vec<Received>) -> Vec<Vec<Received>> {
    let mut groups: Vec<Vec<Received>> = Vec::new();
    for message in messages {
        let group = message.notification.group.clone();
        let same = |it: &&mut Vec<Received>| group.is_some() && it[0].notification.group == group;
        match groups.iter_mut().find(same) {
            Some(messages) => messages.push(message),
            None => groups.push(vec![message]),
        }
    }
    groups
}

/// Handles the messages of a group one after another, each with one of `permits`.
///
/// Once the worker is stopping, the handler in progress is finished, and the messages behind it are
/// released for another worker.
pub async fn handle_in_order(
    worker: &Worker,
    outgoing: &Outgoing,
    handler: &Arc<impl Call>,
    messages: Vec<Received>,
    mut permits: OwnedSemaphorePermit,
) {
    // All are admitted at once, so that the leases of those that wait are renewed.
    let mut waiting: VecDeque<_> = (messages.into_iter())
        .map(|message| (worker.in_flight.admit(&message.lease, &worker.ending), message))
        .collect();
    while let Some((admission, message)) = waiting.pop_front() {
        if matches!(&admission, Admission::Handle(cancelled) if cancelled.is_cancelled()) {
            // Its lease was lost while it waited, or the drain timed out.
            waiting.push_front((admission, message));
            break;
        }
        let permit = permits.split(1);
        let handled = handle(worker, outgoing, handler, message, admission).await;
        drop(permit);
        if let Err(Redelivered { visible_in }) = handled {
            worker.due.add(visible_in);
            break;
        }
        if worker.stopping.is_cancelled() {
            break;
        }
    }
    for (admission, message) in waiting {
        release(worker, outgoing, admission, message).await;
    }
}

/// Gives a message back that was not handled.
async fn release(worker: &Worker, outgoing: &Outgoing, admission: Admission, message: Received) {
    match admission {
        Admission::Handle(_) => {
            if let Some(lease) = worker.in_flight.remove(&message.lease.id) {
                outgoing.release(lease, Duration::ZERO).await;
            }
        }
        Admission::Adopted => {}
        Admission::Delete => outgoing.delete(message.lease.id).await,
        Admission::Poison => outgoing.release(message.lease, Duration::ZERO).await,
    }
}
