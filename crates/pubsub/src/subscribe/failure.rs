//! Why a handler did not succeed.

/// Why a handler did not succeed. The reason is logged, so it should not quote the message.
#[derive(Debug)]
pub enum Failure {
    /// A retry may succeed.
    Retry(anyhow::Error),
    /// No retry can succeed.
    Poison(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Retry(error)
    }
}
