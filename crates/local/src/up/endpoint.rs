//! The AWS endpoint that the environment names.

use std::time::Duration;

use anyhow::Context as _;
use hyper::Uri;
use pubsub::env::{self, Misconfigured};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const VARIABLE: &str = "AWS_ENDPOINT_URL";
/// A local endpoint answers in milliseconds; a starting container takes a little longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The endpoint that the environment names, if any.
///
/// # Errors
///
/// [`Misconfigured`] if it is not a URL.
pub fn from_environment() -> Result<Option<String>, Misconfigured> {
    let Some(url) = env::optional(VARIABLE) else {
        return Ok(None);
    };
    let is_url =
        (url.parse::<Uri>()).is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    if is_url {
        return Ok(Some(url));
    }
    Err(Misconfigured(format!(
        "{VARIABLE} is {url:?}, but should be a URL such as http://127.0.0.1:4566"
    )))
}

/// Checks that something answers there, so that a person need not wait for the SDK's retries.
///
/// # Errors
///
/// If nothing does within two seconds; the error names the variable.
pub async fn answers(url: &str) -> anyhow::Result<()> {
    let answer = timeout(ANSWER_TIMEOUT, ask(url)).await;
    let answer = answer.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within 2 s")));
    answer.map_err(|error| blame(error, Some(url)))
}

/// Names the variable in an error, if it was set.
pub fn blame(error: anyhow::Error, url: Option<&str>) -> anyhow::Error {
    match url {
        Some(url) => error
            .context(format!("{VARIABLE} is {url}; unset it to use an account in this process")),
        None => error,
    }
}

async fn ask(url: &str) -> anyhow::Result<()> {
    let url: Uri = url.parse()?;
    let host = url.host().context("it names no host")?;
    let is_plain = url.scheme_str() == Some("http");
    let port = url.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
    let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    if is_plain {
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        // Any answer will do: endpoints differ in what they say to this.
        let read = stream.read(&mut [0]).await?;
        anyhow::ensure!(read > 0, "it closed the connection without an answer");
    }
    Ok(())
}
