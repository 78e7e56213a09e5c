//! Both sides of a health check over loopback.
//!
//! The images have neither a shell nor `curl`, so ECS and Docker run the service's own binary with
//! the argument `healthcheck`. It sends a request to the running service.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::HOST,
    server,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::env::Misconfigured;

#[cfg(test)]
mod tests;

/// Shorter than the 5 s that the manifests allow for a health check.
const TIMEOUT: Duration = Duration::from_secs(3);
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Requests `http://127.0.0.1:{port}{path}` and returns the body of the response.
///
/// # Errors
///
/// If there is no response within 3 s, or its status is not 2xx. The error of a response contains
/// its status and body.
pub async fn check(port: u16, path: &str) -> anyhow::Result<String> {
    timeout(TIMEOUT, ask(port, path))
        .await
        .with_context(|| format!("no answer on port {port} within {} s", TIMEOUT.as_secs()))?
        .with_context(|| format!("asking 127.0.0.1:{port}{path}"))
}

/// Listens on a loopback port. `variable` is the setting that an error names.
///
/// # Errors
///
/// [`Misconfigured`] if it cannot listen, for example because the port is in use.
pub async fn listen(variable: &str, port: u16) -> Result<TcpListener, Misconfigured> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| Misconfigured(format!("cannot listen on {variable} {port}: {error}")))
}

/// Answers every request with the result of `examine`: 200 for `Ok`, 503 for `Err`, with its text.
///
/// It never returns. Dropping the future stops listening; responses in progress are finished.
pub async fn serve(
    listener: TcpListener,
    examine: impl Fn() -> Result<String, String> + Clone + Send + Sync + 'static,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely there are no file descriptors left. Other connections will close soon.
            sleep(ACCEPT_RETRY).await;
            continue;
        };
        let examine = examine.clone();
        let answer = service_fn(move |_: Request<Incoming>| {
            let answered = match examine() {
                Ok(state) => (StatusCode::OK, state),
                Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
            };
            async move { response(answered) }
        });
        let connection = server::conn::http1::Builder::new()
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(timeout(TIMEOUT, connection));
    }
}

fn response((status, text): (StatusCode, String)) -> hyper::http::Result<Response<Full<Bytes>>> {
    Response::builder().status(status).body(Full::new(Bytes::from(text)))
}

async fn ask(port: u16, path: &str) -> anyhow::Result<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path).header(HOST, "localhost").body(Empty::<Bytes>::new())?;
    // The block owns the client. Dropping the client at its end closes the connection.
    let exchange = async move {
        let response = client.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    let ((status, text), _) = tokio::try_join!(exchange, async { Ok(connection.await?) })?;
    if status.is_success() { Ok(text) } else { bail!("{status}: {text}") }
}
