//! Requests to what runs on this machine.

use std::time::Duration;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, body::Bytes};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;

/// An HTTP client. A clone is cheap and shares the connections.
pub type Client = legacy::Client<HttpConnector, Full<Bytes>>;

/// A client without connections.
pub fn client() -> Client {
    legacy::Client::builder(TokioExecutor::new()).build(HttpConnector::new())
}

/// The status and the body of an answer.
///
/// # Errors
///
/// If nothing answers within `patience`.
pub async fn ask(
    client: &Client,
    request: Request<Full<Bytes>>,
    patience: Duration,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let answer = timeout(patience, client.request(request)).await;
    let answer = answer.with_context(|| format!("no answer within {} s", patience.as_secs()))??;
    let status = answer.status();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}
