//! A service as a child process. It has exactly the variables it is given, and is killed when its
//! handle is dropped. If this process is killed, the [guard] ends it.

use std::{
    collections::BTreeMap,
    future::Future,
    path::Path,
    process::{ExitStatus, Stdio},
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    sync::mpsc::UnboundedSender,
    task::JoinHandle,
};

use crate::guard;

/// A line that a service logged, to its standard output or error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The service.
    pub service: String,
    /// The line, without its end.
    pub text: String,
}

/// A running service. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    /// The service's name.
    pub name: String,
    child: Child,
    pid: Pid,
    /// Whether it was sent SIGTERM.
    stops: bool,
    readers: [JoinHandle<()>; 2],
}

impl Process {
    /// Starts `binary`. Its lines go to `lines`.
    ///
    /// It inherits no variables, so that it needs none but those that Copilot sets. It is in the
    /// process group of the guard, so that Ctrl-C in a terminal does not reach it directly.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn spawn(
        name: &str,
        binary: &Path,
        variables: &BTreeMap<String, String>,
        lines: &UnboundedSender<Line>,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(binary)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(guard::group()?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let pid = child.id().context("a child process without an id")?;
        let readers = [
            tokio::spawn(forward(name, child.stdout.take(), lines)),
            tokio::spawn(forward(name, child.stderr.take(), lines)),
        ];
        Ok(Self {
            name: name.to_owned(),
            child,
            pid: Pid::from_raw(pid.try_into().context("the process id is too large")?),
            stops: false,
            readers,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Sends SIGTERM, as ECS does first. It has no effect on a process that has exited, or that
    /// stops already: a service takes a second one for a person who insists.
    pub fn terminate(&mut self) {
        if !std::mem::replace(&mut self.stops, true) {
            self.signal(Signal::SIGTERM);
        }
        // One that is frozen would not notice.
        self.signal(Signal::SIGCONT);
    }

    /// Freezes it: it keeps what it has, and does nothing.
    pub fn freeze(&mut self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on after [`Process::freeze`].
    pub fn thaw(&mut self) {
        self.signal(Signal::SIGCONT);
    }

    /// Sends SIGKILL, as ECS does after the stop timeout.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&mut self, signal: Signal) {
        // Once it was waited for, another process may have its id.
        if self.child.id().is_some() {
            let _ = kill(self.pid, signal);
        }
    }

    /// Waits until it has exited and its last line was forwarded. It can be called repeatedly.
    ///
    /// # Errors
    ///
    /// If the operating system reports no status.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        let status = self.child.wait().await;
        for reader in &mut self.readers {
            if !reader.is_finished() {
                let _ = reader.await;
            }
        }
        status.with_context(|| format!("waiting for {}", self.name))
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

/// Forwards lines until the output ends. Bytes that are not UTF-8 are replaced.
fn forward(
    name: &str,
    output: Option<impl AsyncRead + Unpin + Send + 'static>,
    lines: &UnboundedSender<Line>,
) -> impl Future<Output = ()> + Send + 'static {
    let service = name.to_owned();
    let lines = lines.clone();
    async move {
        let Some(output) = output else { return };
        let mut reader = BufReader::new(output);
        let mut buffer = Vec::new();
        while let Ok(1..) = reader.read_until(b'\n', &mut buffer).await {
            let text = String::from_utf8_lossy(&buffer).trim_end().to_owned();
            buffer.clear();
            let line = Line { service: service.clone(), text };
            // Without a receiver the pipe is still read, or the child would block.
            let _ = lines.send(line);
        }
    }
}
