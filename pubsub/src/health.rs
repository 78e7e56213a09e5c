//! Asking a running service, over loopback, whether it is well.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, body::Bytes, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// Below the 5 s that the manifests give a health check.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `http://127.0.0.1:{port}{path}` and returns what it answered.
///
/// # Errors
///
/// If nothing answers within three seconds, or the answer is not 200: then with its text.
pub async fn check(port: u16, path: &str) -> anyhow::Result<String> {
    timeout(TIMEOUT, ask(port, path))
        .await
        .with_context(|| format!("no answer on port {port} within {} s", TIMEOUT.as_secs()))?
        .with_context(|| format!("asking 127.0.0.1:{port}{path}"))
}

async fn ask(port: u16, path: &str) -> anyhow::Result<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(HOST, "localhost")
        .body(Empty::<Bytes>::new())?;
    // It takes the client with it: the connection ends when nobody can send any more.
    let exchange = async move {
        let response = client.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    let ((status, text), _) = tokio::try_join!(exchange, async { Ok(connection.await?) })?;
    if status.is_success() {
        Ok(text)
    } else {
        bail!("{status}: {text}")
    }
}
