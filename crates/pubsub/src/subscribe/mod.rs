//! The worker runtime: receives messages from a queue, calls a handler for each, and deletes it.
//!
//! # Guarantees
//!
//! - **At least once.** A message is deleted only after its handler returned `Ok`. If anything
//!   fails before (an error, a panic, a timeout, a crash, a lost connection), SQS redelivers it. No
//!   message is dropped: it is handled, or it is in the dead-letter queue, from which it can be
//!   redriven, or its retention in the queue has ended.
//! - **Not exactly once.** A handler can see a message again after it succeeded, for example after
//!   a crash between its last step and the delete. Handlers have to be idempotent.
//! - **Not twice at a time in a process.** If a duplicate arrives while the handler runs, the
//!   handler continues with the newer receipt handle. Duplicates of the last 1,000 messages that
//!   were processed are deleted without calling the handler. At full speed these are a fraction of
//!   a second, which covers copies that SQS delivers together; it is no substitute for idempotent
//!   handlers.
//! - **Order only on a FIFO queue**, whose URL ends in `.fifo`, and only within a message group:
//!   one message of a group at a time, in order, while groups are handled side by side. A message
//!   that fails holds back its group until it is processed or in the dead-letter queue. Messages
//!   that were received together with one that fails are received again, which uses one of their
//!   tries. On a standard queue messages are handled side by side, in any order.
//!
//! # What a handler may assume
//!
//! - If something that the handler depends on is unavailable ([`Failure::Unavailable`]), the
//!   message is kept, its lease is renewed, and the handler is called again after a pause.
//!   Meanwhile the worker receives less and then nothing; it resumes gradually. This uses up no
//!   receives, unless the process is killed.
//! - A message that failed ([`Failure::Retry`], a panic, or a timeout) is retried after a random
//!   time that grows with each failure, from 2 s up to 15 min. After three failures in a process it
//!   is given up: it is released until SQS moves it to the dead-letter queue. A poison message
//!   ([`Failure::Poison`]) gets there within a second, without further calls of the handler.
//! - While a handler runs, and while its message waits for its turn in its group, the message's
//!   lease (its visibility timeout) is renewed, until the handler's deadline. If the lease is lost,
//!   the handler is cancelled, because another worker may have received the message.
//! - At most [`Settings::max_in_flight`] handlers run at a time, each in a task of its own. The
//!   runtime receives no more messages than it can start to handle at once.
//! - After SIGTERM no new poll starts. The poll in progress is not cancelled, because its messages
//!   would stay hidden for a whole visibility timeout. Messages in flight are finished, or released
//!   if the drain times out first.

mod run;

mod settings;

mod failure;

mod handler;

mod worker;

mod intake;

mod handle;

mod group;

mod due;

mod breaker;

mod in_flight;

mod lease;

mod acknowledge;

mod release;

mod queue;

mod received;

mod gauges;
mod metrics;
mod spans;

mod liveness;

mod back_off;
mod batch;

#[cfg(test)]
mod tests;

pub use failure::Failure;
pub use handler::{Envelope, FromMessage, Handler, Json, UnknownType};
pub use run::subscribe;
pub(crate) use settings::{HEALTH, WorkerSettings};
pub use settings::{Limits, Settings};
#[cfg(any(test, feature = "testing"))]
pub(crate) use {
    handler::{Call, Typed},
    run::subscribe_untyped,
};
