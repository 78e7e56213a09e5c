//! The worker runtime: receives messages from a queue, calls a handler for each, and deletes it.
//!
//! # At-least-once delivery
//!
//! - A message is deleted only after its handler returned `Ok`. If anything fails before (an error,
//!   a panic, a timeout, a crash, a lost connection), the message is redelivered.
//! - So a handler can see a message twice, for example after a crash between its last step and the
//!   delete. Handlers have to be idempotent.
//! - A process never runs two handlers for a message at the same time. If a duplicate arrives while
//!   the handler runs, the handler continues with the new receipt handle. The runtime remembers the
//!   last 1,000 messages, and deletes duplicates of processed ones without calling the handler.
//! - A failed message is retried with exponential back-off and jitter. When it has no retries left,
//!   SQS moves it to the dead-letter queue, from which it can be redriven. A poison message
//!   ([`Failure::Poison`]) gets there without further calls of the handler. No message is dropped.
//! - While a handler runs, the message's lease (its visibility timeout) is renewed. If the lease is
//!   lost, the handler is cancelled, because another worker may have received the message.
//! - After SIGTERM no new poll starts. The poll in progress is not cancelled, because its messages
//!   would stay hidden for a whole visibility timeout. Messages in flight are finished, or released
//!   if the drain times out first.

mod run;

mod settings;

mod failure;

mod worker;

mod intake;

mod handle;

mod in_flight;

mod lease;

mod acknowledge;

mod release;

mod queue;

mod received;

mod spans;

mod liveness;

mod back_off;
mod batch;

#[cfg(test)]
mod tests;

pub use failure::Failure;
pub use run::subscribe;
pub use settings::{HEALTH, Limits, Settings, WorkerSettings};
