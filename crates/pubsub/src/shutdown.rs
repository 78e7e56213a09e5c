//! SIGTERM, which ECS sends, and Ctrl-C: the first starts a drain, a second exits at once.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code after a second signal: the one that a shell reports for Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// A token that the first SIGTERM or Ctrl-C cancels. The second ends the process at once, with
/// [`INTERRUPTED`].
///
/// # Errors
///
/// If the operating system refuses the signal handlers.
pub fn on_signal() -> anyhow::Result<CancellationToken> {
    let Signals { asked, insisted } = signals()?;
    tokio::spawn(async move {
        insisted.cancelled().await;
        std::process::exit(INTERRUPTED.into());
    });
    Ok(asked)
}

/// The tokens that signals cancel.
pub struct Signals {
    /// Cancelled by the first SIGTERM or Ctrl-C: drain and exit.
    pub asked: CancellationToken,
    /// Cancelled by the second: exit at once, with [`INTERRUPTED`].
    pub insisted: CancellationToken,
}

/// Listens for SIGTERM and Ctrl-C from now on.
///
/// # Errors
///
/// If the operating system refuses the signal handlers.
pub fn signals() -> anyhow::Result<Signals> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let (asked, insisted) = (CancellationToken::new(), CancellationToken::new());
    let signals = Signals { asked: asked.clone(), insisted: insisted.clone() };
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("shutting down: finishing work in progress");
        asked.cancel();
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::warn!("second signal: exiting at once");
        insisted.cancel();
    });
    Ok(signals)
}
