//! The worker runtime: receives from a queue, handles, deletes.
//!
//! # At least once
//!
//! - A message is deleted only after its handler returned `Ok`. If anything fails before that (an
//!   error, a panic, a deadline, a crash, a lost connection), the message is redelivered.
//! - So a handler may see a message twice: a crash between its last step and the deletion is enough.
//!   Its effects have to be idempotent.
//! - One process never handles a message twice at the same time: a copy that arrives while a handler
//!   runs is adopted by it. The last 1,000 messages that were handled are remembered, and copies of
//!   those are deleted without calling the handler.
//! - A failed message is retried after exponential back-off with jitter. After its last try, and at
//!   once if no retry can succeed ([`Failure::Poison`]), SQS moves it to the dead-letter queue, from
//!   where it can be redriven. Nothing is dropped.
//! - While a handler works, the message's lease (its visibility timeout) is renewed. If the lease is
//!   lost all the same, the handler is cancelled, because another worker may have the message.
//! - After SIGTERM no new poll starts. The running one is left to end, because cutting it would hide
//!   the messages it brings for a whole visibility timeout. Messages in flight are finished, and the
//!   rest is given back.

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

mod vital_signs;

mod back_off;
mod batch;

#[cfg(test)]
mod tests;

pub use failure::Failure;
pub use run::subscribe;
pub use settings::{HEALTH, Limits, Settings, WorkerSettings};
