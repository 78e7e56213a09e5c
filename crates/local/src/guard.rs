//! Ends the services if this process dies without ending them: killed with SIGKILL, or with the
//! terminal that it ran in.
//!
//! A shell waits at the end of a pipe that only this process holds, and leads the process group of
//! the services. When the pipe breaks, it ends the group. This works on every Unix, and a service
//! cannot escape by being started at the wrong moment: it is born into the group.

use std::{
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use std::os::unix::process::CommandExt as _;

use anyhow::Context as _;

/// The shell is in the group too, so it ignores the SIGTERM that it sends. The services get five
/// seconds to drain, and only SIGKILL ends the shell.
const SCRIPT: &str = "trap '' TERM; read -r _; kill -TERM 0; sleep 5; kill -KILL 0";

/// One for this process, from its first service on.
static GUARD: Mutex<Option<Child>> = Mutex::new(None);

/// The process group that a service has to join.
///
/// # Errors
///
/// If the shell cannot be started.
pub fn group() -> anyhow::Result<i32> {
    let mut guard = lock();
    let alive = guard.as_mut().is_some_and(|shell| matches!(shell.try_wait(), Ok(None)));
    if !alive {
        *guard = Some(start()?);
    }
    let id = guard.as_ref().context("no guard")?.id();
    id.try_into().context("the process id is too large")
}

/// Ends the guard, once the services have exited. Without this it exits five seconds after this
/// process.
pub fn dismiss() {
    if let Some(mut shell) = lock().take() {
        let _ = shell.kill();
        let _ = shell.wait();
    }
}

fn start() -> anyhow::Result<Child> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.env_clear().env("PATH", "/usr/bin:/bin").process_group(0);
    shell.spawn().context("starting /bin/sh, which ends the services if this process is killed")
}

fn lock() -> MutexGuard<'static, Option<Child>> {
    GUARD.lock().unwrap_or_else(PoisonError::into_inner)
}
