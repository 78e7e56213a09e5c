//! Where a running `local` is, for the other commands: a file beside the binaries.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use pubsub::env::Misconfigured;
use serde::{Deserialize, Serialize};

use crate::{build, secrets::Secrets};

const FILE: &str = "local.json";
/// What runs on this machine answers at once.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// A running `local`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Running {
    /// The name of its application.
    pub application: String,
    /// Whether it takes orders.
    pub takes_orders: bool,
    /// The directory with the files that describe it.
    pub files: PathBuf,
    /// The URL of its page.
    pub page: String,
    /// The URL of its AWS endpoint.
    pub aws: String,
    /// The URL at which its weather changes; none if the AWS endpoint is not its own.
    pub weather: Option<String>,
    /// The secrets by which it knows who sends webhooks.
    pub secrets: Secrets,
}

/// Lets other commands find this process until it is dropped.
#[derive(Debug)]
pub struct Announcement {
    file: PathBuf,
    text: String,
}

impl Running {
    /// Refuses what is about orders to a system that takes none.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] with a sentence that names it.
    pub fn with_orders(self) -> Result<Self, Misconfigured> {
        if self.takes_orders {
            return Ok(self);
        }
        Err(Misconfigured(format!(
            "the system that runs is {}, which takes no orders: start `cargo run -p local` \
             without --app",
            self.application
        )))
    }

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
        write(&file, &text).with_context(|| format!("writing {}", file.display()))?;
        Ok(Announcement { file, text })
    }
}

/// The directory `from`; without it that of the system that runs, or else the workspace's.
pub fn files_directory(from: Option<&Path>) -> PathBuf {
    match (from, Running::find()) {
        (None, Some(running)) => running.files,
        _ => build::files_directory(from),
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

/// Writes the file for this user alone: it holds secrets.
fn write(file: &Path, text: &str) -> io::Result<()> {
    // An existing file keeps its permissions, so it is deleted first.
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(file)?.write_all(text.as_bytes())
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_this_user_reads_the_file_even_if_another_one_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        fs::write(&file, "of an earlier start").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        for text in ["first", "second"] {
            write(&file, text).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
