//! The error of a handler.

use crate::unavailable::Unavailable;

/// Why a handler failed. The error is logged, so it should not quote the message.
#[derive(Debug)]
pub enum Failure {
    /// Something that the handler depends on is unavailable. The message is kept, and the handler
    /// is called again until it succeeds; this uses up no try of the message.
    Unavailable(anyhow::Error),
    /// The message failed, and a retry may succeed.
    Retry(anyhow::Error),
    /// A retry cannot succeed: the message goes to the dead-letter queue.
    Poison(anyhow::Error),
}

/// `?` on an `anyhow` error is [`Failure::Unavailable`] if an [`Unavailable`] caused it, and
/// [`Failure::Retry`] otherwise.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        if Unavailable::caused(&error) { Self::Unavailable(error) } else { Self::Retry(error) }
    }
}
