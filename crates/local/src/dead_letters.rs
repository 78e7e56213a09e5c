//! Dead letters of the services, as an operator sees them.

use std::time::Duration;

use account::dead_letters::DeadLetters;

pub mod command;

mod letter;

pub use letter::DeadLetter;

/// All of them, the oldest first. None is taken away.
///
/// # Errors
///
/// If the endpoint does not answer. What was looked at is visible again after 30 s.
pub async fn look(letters: &DeadLetters) -> anyhow::Result<Vec<DeadLetter>> {
    let mut read: Vec<_> = letters.look().await?.iter().map(DeadLetter::read).collect();
    read.sort_by_key(|letter| letter.sent_at_ms);
    Ok(read)
}

/// How long ago `at_ms` was, in milliseconds since 1970.
fn age(at_ms: u64) -> Duration {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().saturating_sub(Duration::from_millis(at_ms))
}
