//! A reader's terminal, and a second one for what goes on running.

use std::{
    env,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tempfile::NamedTempFile;

use crate::matching;

/// Longer than anything takes on a busy machine, a first build included.
const TIMEOUT: Duration = Duration::from_secs(900);

/// The terminals of one reader.
pub struct Session {
    directory: PathBuf,
    target: PathBuf,
    /// The variables that the reader has set so far.
    variables: NamedTempFile,
    background: Option<Background>,
}

/// A command that runs until the document ends. It is killed when this is dropped.
struct Background {
    process: Child,
    lines: Receiver<String>,
    /// What it has printed, and how much of it was looked for already.
    printed: Vec<String>,
    seen: usize,
}

impl Session {
    pub fn start(directory: &Path, target: &Path) -> anyhow::Result<Self> {
        // Who runs this may have credentials among the variables: nobody else reads the file, and it
        // is gone with the session.
        let variables = NamedTempFile::new().context("making a file for variables")?;
        Ok(Self {
            directory: directory.to_owned(),
            target: target.to_owned(),
            variables,
            background: None,
        })
    }

    /// Runs commands to their end; returns what they printed.
    pub fn run(&mut self, commands: &str) -> anyhow::Result<String> {
        let output = self.bash(commands).output()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{commands}ended with {}:\n{printed}", output.status);
        Ok(printed)
    }

    /// Starts a command that goes on running.
    pub fn start_background(&mut self, command: &str) -> anyhow::Result<()> {
        self.end()?;
        let mut process = self
            .bash(command)
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()?;
        let output = BufReader::new(process.stdout.take().context("no output")?);
        let (sender, lines) = channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|it| sender.send(it))
        });
        self.background = Some(Background { process, lines, printed: Vec::new(), seen: 0 });
        Ok(())
    }

    /// Waits until the command in the background has printed these lines, others in between.
    pub fn wait_for(&mut self, expected: &str) -> anyhow::Result<()> {
        let background = self.background.as_mut().context("nothing runs in the background")?;
        let deadline = Instant::now() + TIMEOUT;
        for pattern in expected.trim_end().lines() {
            background.wait_for(pattern, deadline)?;
        }
        Ok(())
    }

    /// Reads commands without running them.
    pub fn check_syntax(&self, commands: &str) -> anyhow::Result<()> {
        let output = Command::new("bash").args(["-n", "-c", commands]).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "bash cannot read {commands}{said}");
        Ok(())
    }

    /// Ends the command in the background, as Ctrl-C does.
    pub fn end(&mut self) -> anyhow::Result<()> {
        let Some(mut background) = self.background.take() else {
            return Ok(());
        };
        killpg(background.group()?, Signal::SIGINT)?;
        let status = background.process.wait()?;
        ensure!(status.success(), "Ctrl-C ended it with {status}");
        Ok(())
    }

    fn bash(&self, commands: &str) -> Command {
        let script = format!(
            "exec 2>&1\nsource \"$0\"\ntrap 'declare -px > \"$0\"' EXIT\nset -euo pipefail\n{commands}"
        );
        let mut bash = Command::new("bash");
        bash.args(["-c", &script])
            .arg(self.variables.path())
            .current_dir(&self.directory)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_TERM_QUIET", "true");
        // A reader has no cargo around. What it told this process would also look like a change to
        // build scripts that watch it, and half of the tree would be built again.
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        for (name, _) in env::vars() {
            if name == "CARGO" || told.iter().any(|prefix| name.starts_with(prefix)) {
                bash.env_remove(name);
            }
        }
        bash
    }
}

impl Background {
    fn wait_for(&mut self, pattern: &str, deadline: Instant) -> anyhow::Result<()> {
        loop {
            let fresh = self.printed[self.seen..].iter();
            if let Some(at) = fresh.enumerate().find(|(_, it)| matching::line(it, pattern)) {
                self.seen += at.0 + 1;
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.printed.push(line),
                Err(RecvTimeoutError::Timeout) => bail!(self.never(pattern)),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("it ended before\n{}", self.never(pattern))
                }
            }
        }
    }

    fn never(&self, pattern: &str) -> String {
        format!("it never printed\n{pattern}\nbut\n{}", self.printed[self.seen..].join("\n"))
    }

    fn group(&self) -> anyhow::Result<Pid> {
        Ok(Pid::from_raw(self.process.id().try_into()?))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Only if it was not ended: then there is nothing left to do about a failure.
        if let (Ok(None), Ok(group)) = (self.process.try_wait(), self.group()) {
            let _ = killpg(group, Signal::SIGTERM);
            let _ = self.process.wait();
        }
    }
}
