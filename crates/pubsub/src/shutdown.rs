//! SIGTERM (what ECS sends) and Ctrl-C: the first asks to finish, a second ends at once.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a program that was told twice, as of a shell's command ended by Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// A token that is cancelled by the first SIGTERM or Ctrl-C; the second ends the process.
///
/// # Errors
///
/// If the system refuses the signal handlers.
pub fn on_signal() -> anyhow::Result<CancellationToken> {
    let Signals { asked, insisted } = signals()?;
    tokio::spawn(async move {
        insisted.cancelled().await;
        std::process::exit(INTERRUPTED.into());
    });
    Ok(asked)
}

/// What the signals of this process say.
pub struct Signals {
    /// Cancelled by the first SIGTERM or Ctrl-C: finish.
    pub asked: CancellationToken,
    /// Cancelled by the second: end at once, with [`INTERRUPTED`].
    pub insisted: CancellationToken,
}

/// Listens for SIGTERM and Ctrl-C.
///
/// # Errors
///
/// If the system refuses the signal handlers.
pub fn signals() -> anyhow::Result<Signals> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let (asked, insisted) = (CancellationToken::new(), CancellationToken::new());
    let signals = Signals { asked: asked.clone(), insisted: insisted.clone() };
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("asked to stop: finishing what is under way");
        asked.cancel();
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::warn!("asked to stop again: ending at once");
        insisted.cancel();
    });
    Ok(signals)
}
