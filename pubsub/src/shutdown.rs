//! SIGTERM (what ECS sends) and Ctrl-C: the first asks to finish, a second ends at once.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a program that was told twice, as of a shell's command ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// A token that is cancelled by the first SIGTERM or Ctrl-C; the second ends the process.
///
/// # Errors
///
/// If the system refuses the signal handlers.
pub fn on_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let shutdown = CancellationToken::new();
    let asked = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("asked to stop: finishing what is under way");
        asked.cancel();
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::warn!("asked to stop again: ending at once");
        std::process::exit(INTERRUPTED);
    });
    Ok(shutdown)
}
