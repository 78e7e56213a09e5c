//! A reader's two terminals: A for the command that keeps running, B for all others.

use std::{
    collections::BTreeSet,
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

/// Longer than any line takes on a busy machine, also if the services are built first.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The terminals of one reader.
pub struct Session {
    directory: PathBuf,
    target: PathBuf,
    /// The exported variables, carried from one block to the next.
    variables: NamedTempFile,
    background: Option<Background>,
}

/// A command that runs until the document ends. Dropping this kills it.
struct Background {
    process: Child,
    lines: Receiver<String>,
    printed: Vec<String>,
    /// How many of these lines were compared already.
    seen: usize,
}

impl Session {
    pub fn start(directory: &Path, target: &Path) -> anyhow::Result<Self> {
        // The variables may contain credentials: only this user can read the file, and it is
        // deleted with the session.
        let variables = NamedTempFile::new().context("making a file for variables")?;
        Ok(Self {
            directory: directory.to_owned(),
            target: target.to_owned(),
            variables,
            background: None,
        })
    }

    /// Runs commands that have to succeed, or have to fail; returns their output.
    pub fn run(&mut self, commands: &str, succeeds: bool) -> anyhow::Result<String> {
        let output = self.bash(commands).output()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let as_expected = output.status.success() == succeeds;
        ensure!(as_expected, "{commands}exited with {}:\n{printed}", output.status);
        Ok(printed)
    }

    /// The names of the variables that are exported now.
    pub fn exported(&mut self) -> anyhow::Result<BTreeSet<String>> {
        Ok(self.run("compgen -e\n", true)?.lines().map(str::to_owned).collect())
    }

    /// Starts a command that keeps running.
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

    /// Waits until the command in the background has printed these lines since the last call.
    ///
    /// In any order and with others in between: several processes log, and at the same time.
    pub fn wait_for(&mut self, expected: &str) -> anyhow::Result<()> {
        let background = self.background.as_mut().context("nothing runs in the background")?;
        let deadline = Instant::now() + TIMEOUT;
        let mut seen = background.seen;
        for pattern in expected.trim_end().lines() {
            seen = seen.max(background.wait_for(pattern, deadline)?);
        }
        background.seen = seen;
        Ok(())
    }

    /// Checks the syntax of commands without running them.
    pub fn check_syntax(&self, commands: &str) -> anyhow::Result<()> {
        let output = Command::new("bash").args(["-n", "-c", commands]).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "bash cannot parse {commands}{said}");
        Ok(())
    }

    /// Stops the command in the background, as Ctrl-C does.
    pub fn end(&mut self) -> anyhow::Result<()> {
        let Some(mut background) = self.background.take() else {
            return Ok(());
        };
        killpg(background.group()?, Signal::SIGINT)?;
        let status = background.process.wait()?;
        ensure!(status.success(), "after Ctrl-C it exited with {status}");
        Ok(())
    }

    fn bash(&self, commands: &str) -> Command {
        let script = format!(
            "exec 2>&1\nsource \"$0\"\ntrap 'declare -px > \"$0\"' EXIT\n\
             set -euo pipefail\n{commands}"
        );
        let mut bash = Command::new("bash");
        bash.args(["-c", &script])
            .arg(self.variables.path())
            .current_dir(&self.directory)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_TERM_QUIET", "true");
        // A reader does not run under cargo. Build scripts that watch its variables would also take
        // them for a change, and half of the tree would be built again. And nothing here may reach
        // an account on AWS.
        let removed = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "AWS_"];
        for (name, _) in env::vars() {
            if name == "CARGO" || removed.iter().any(|prefix| name.starts_with(prefix)) {
                bash.env_remove(name);
            }
        }
        bash
    }
}

impl Background {
    /// Returns how many lines there are up to the one that matches.
    fn wait_for(&mut self, pattern: &str, deadline: Instant) -> anyhow::Result<usize> {
        let mut next = self.seen;
        loop {
            let fresh = &self.printed[next..];
            if let Some(at) = fresh.iter().position(|it| matching::line(it, pattern)) {
                return Ok(next + at + 1);
            }
            next = self.printed.len();
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.printed.push(line),
                Err(RecvTimeoutError::Timeout) => bail!(self.never(pattern)),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("it exited early: {}", self.never(pattern))
                }
            }
        }
    }

    fn never(&self, pattern: &str) -> String {
        format!("expected the line\n{pattern}\nbut got\n{}", self.printed[self.seen..].join("\n"))
    }

    fn group(&self) -> anyhow::Result<Pid> {
        Ok(Pid::from_raw(self.process.id().try_into()?))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Only after a failure: otherwise it was stopped before.
        if let (Ok(None), Ok(group)) = (self.process.try_wait(), self.group()) {
            let _ = killpg(group, Signal::SIGTERM);
            let _ = self.process.wait();
        }
    }
}
