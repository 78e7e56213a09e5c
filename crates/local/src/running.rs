//! Where a running `local` is, for the other commands: a file beside the binaries.

use std::{
    env, fs,
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

const FILE: &str = "local.json";
/// What runs on this machine answers at once.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// A running `local`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Running {
    /// The URL of its page.
    pub page: String,
    /// The URL of its AWS endpoint.
    pub aws: String,
    /// The URL at which its weather changes; none if the AWS endpoint is not its own.
    pub weather: Option<String>,
}

/// Lets other commands find this process until it is dropped.
#[derive(Debug)]
pub struct Announcement {
    file: PathBuf,
    text: String,
}

impl Running {
    /// The one that was started last with this build, if it still runs.
    pub fn find() -> Option<Self> {
        let text = fs::read_to_string(file().ok()?).ok()?;
        let running: Self = serde_json::from_str(&text).ok()?;
        answers(&running.aws).then_some(running)
    }

    /// Lets other commands find this one.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn announce(&self) -> anyhow::Result<Announcement> {
        let (file, text) = (file()?, serde_json::to_string(self)?);
        fs::write(&file, &text).with_context(|| format!("writing {}", file.display()))?;
        Ok(Announcement { file, text })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Another one may have been started since.
        if fs::read_to_string(&self.file).is_ok_and(|text| text == self.text) {
            let _ = fs::remove_file(&self.file);
        }
    }
}

fn file() -> anyhow::Result<PathBuf> {
    let executable = env::current_exe().context("finding this executable")?;
    Ok(executable.with_file_name(FILE))
}

fn answers(url: &str) -> bool {
    let address = url.trim_start_matches("http://");
    let addresses = address.to_socket_addrs().into_iter().flatten();
    let connects = |it: SocketAddr| TcpStream::connect_timeout(&it, ANSWER_TIMEOUT).is_ok();
    addresses.into_iter().any(connects)
}
