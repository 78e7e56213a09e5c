//! `local` as a process, on free ports, whose output a test reads.
#![allow(dead_code, reason = "each suite uses a part of it, and one all of it")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tempfile::TempDir;

/// Longer than anything takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub type Outcome = anyhow::Result<()>;

/// The command, on free ports and without the variables of a developer.
pub fn local() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    for name in ["AWS_ENDPOINT_URL", "PORT", "RUST_LOG", "BANNER", "PACE_MS"] {
        command.env_remove(name);
    }
    command
}

/// A build that no other test uses, so that its commands find the system that it runs.
pub struct Build(TempDir);

impl Build {
    /// Other links to the binaries.
    pub fn new() -> anyhow::Result<Self> {
        let binaries = Path::new(env!("CARGO_BIN_EXE_local")).parent().context("no folder")?;
        let build = tempfile::tempdir_in(binaries)?;
        fs::hard_link(binaries.join("local"), build.path().join("local"))?;
        for service in fs::read_dir(copilot())? {
            let service = service?;
            if service.path().join("manifest.yml").exists() {
                let name = service.file_name();
                fs::hard_link(binaries.join(&name), build.path().join(&name))?;
            }
        }
        Ok(Self(build))
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The command.
    pub fn local(&self) -> Command {
        let mut command = Command::new(self.path().join("local"));
        command.env_remove("CARGO").env_remove("AWS_ENDPOINT_URL").env_remove("PORT");
        command
    }

    /// Starts the system on free ports.
    pub fn start(&self) -> anyhow::Result<Running> {
        let mut up = self.local();
        up.args(["--port", "0", "--aws-port", "0", "--from"]).arg(copilot());
        Running::of(up)
    }
}

/// A running `local`. Dropping it stops it.
pub struct Running {
    pub page: String,
    /// What it printed so far.
    pub printed: Vec<String>,
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts it with these arguments and variables, and waits until its page answers.
    pub fn start(arguments: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut command = local();
        command.args(["--port", "0", "--aws-port", "0"]).args(arguments);
        command.envs(variables.iter().copied());
        Self::of(command)
    }

    /// The same for a command.
    pub fn of(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(child.stdout.take().context("its output is piped")?);
        let (sender, lines) = channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|it| sender.send(it))
        });
        let mut running = Self { page: String::new(), printed: Vec::new(), child, lines };
        let line = running.wait_for(|line| line.contains("http://localhost:"))?;
        let url = line.split("http://localhost:").nth(1).unwrap_or_default();
        let port: String = url.chars().take_while(char::is_ascii_digit).collect();
        running.page = format!("127.0.0.1:{port}");
        // In JSON all is in this line.
        if !line.starts_with('{') {
            running.wait_for(|line| line.contains("Ctrl-C stops everything"))?;
        }
        Ok(running)
    }

    /// Waits for a line, which it may have printed already, and returns it.
    pub fn wait_for(&mut self, wanted: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        if let Some(line) = self.printed.iter().find(|line| wanted(line)) {
            return Ok(line.clone());
        }
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.with_context(|| format!("it printed only {:#?}", self.printed))?;
            self.printed.push(line.clone());
            if wanted(&line) {
                return Ok(line);
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Outcome {
        Ok(kill(pid(&self.child)?, signal)?)
    }

    /// Waits until it has exited and its last line was read.
    ///
    /// # Errors
    ///
    /// If that takes too long: it or a service that it has left behind still runs.
    pub fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        eventually("local exits", || !matches!(self.child.try_wait(), Ok(None)))?;
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.printed.push(line),
                Err(RecvTimeoutError::Disconnected) => return Ok(self.child.wait()?),
                Err(RecvTimeoutError::Timeout) => {
                    anyhow::bail!("local has exited, and a service still has its output open")
                }
            }
        }
    }

    /// Presses Ctrl-C, and waits for the end.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGINT)?;
        self.wait()
    }

    /// How many ports its own process listens on.
    pub fn listening(&self) -> anyhow::Result<usize> {
        let all = listeners::get_all().map_err(|error| anyhow::anyhow!("{error}"))?;
        let own = all.iter().filter(|it| it.process.pid == self.child.id());
        Ok(own.filter(|it| it.state == listeners::SocketState::Listen).count())
    }

    /// The lines of a service.
    pub fn of_service(&self, name: &str) -> Vec<&String> {
        let is_its = |line: &&String| line.split_whitespace().nth(1) == Some(name);
        self.printed.iter().filter(is_its).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let (Ok(None), Ok(pid)) = (self.child.try_wait(), pid(&self.child)) {
            let _ = kill(pid, Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}

pub fn pid(child: &Child) -> anyhow::Result<Pid> {
    Ok(Pid::from_raw(child.id().try_into()?))
}

/// Waits until `done`.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) -> Outcome {
    let deadline = Instant::now() + TIMEOUT;
    while !done() {
        anyhow::ensure!(Instant::now() < deadline, "it never happened: {what}");
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Places an order, and returns its id.
pub fn order(page: &str, amount: &str) -> anyhow::Result<String> {
    let body = json!({ "customer": "Ada", "amount": amount }).to_string();
    let head = format!(
        "POST /orders HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(page)?;
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let id = answer.split("location: /orders/").nth(1).and_then(|it| it.lines().next());
    Ok(id.with_context(|| answer.clone())?.to_owned())
}

/// The Copilot files of the workspace.
pub fn copilot() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot")
}
