//! Logs: one line an event on standard output, filtered by `RUST_LOG` (`info` if it is not set).

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::env::{self, Misconfigured};

/// The variable that says what is logged.
pub const VARIABLE: (&str, &str) = ("RUST_LOG", "what is logged (info)");

/// Starts logging. Colours are for a terminal only.
///
/// # Errors
///
/// [`Misconfigured`] if `RUST_LOG` cannot be read.
pub fn start() -> Result<(), Misconfigured> {
    let filter: EnvFilter =
        env::parsed("RUST_LOG", EnvFilter::new("info"), "a filter such as info or pubsub=debug")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stdout().is_terminal())
        .with_target(false)
        // Whoever read the log may be gone. To complain of it on standard error would panic there,
        // and take the task with it that listens for SIGTERM.
        .log_internal_errors(false)
        .init();
    Ok(())
}
