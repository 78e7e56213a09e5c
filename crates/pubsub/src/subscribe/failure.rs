//! The error of a handler.

/// Why a handler failed. The error is logged, so it should not quote the message.
#[derive(Debug)]
pub enum Failure {
    /// A retry may succeed. `?` turns an `anyhow` error into this.
    Retry(anyhow::Error),
    /// A retry cannot succeed: the message goes to the dead-letter queue.
    Poison(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Retry(error)
    }
}
