//! Requests to what runs on this machine: the publisher, and the proxy.

use std::time::Duration;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, body::Bytes};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;

/// What runs on this machine answers at once, unless the weather is bad.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// A client that sends JSON.
#[derive(Clone, Debug)]
pub struct Http(Client);

impl Default for Http {
    fn default() -> Self {
        Self(client())
    }
}

impl Http {
    /// The status and the body of the answer to a request, whose body is JSON unless it is empty.
    ///
    /// # Errors
    ///
    /// If nothing answers within ten seconds.
    pub async fn ask(
        &self,
        method: &str,
        url: &str,
        accept: &str,
        body: String,
    ) -> anyhow::Result<(StatusCode, String)> {
        let request = Request::builder().method(method).uri(url);
        let request = request.header("accept", accept).header("content-type", "application/json");
        let answer = ask(&self.0, request.body(Full::from(body))?, PATIENCE).await;
        let (status, body) = answer.with_context(|| format!("asking {url}"))?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}
