//! Requests to the publisher and to the proxy, on this machine.

use std::time::Duration;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;

/// What runs on this machine answers at once, unless the weather is bad.
const PATIENCE: Duration = Duration::from_secs(10);

/// An HTTP client. A clone is cheap and shares the connections.
#[derive(Clone, Debug)]
pub struct Http(Client<HttpConnector, Full<Bytes>>);

impl Default for Http {
    fn default() -> Self {
        Self(Client::builder(TokioExecutor::new()).build(HttpConnector::new()))
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
        let answer = self.0.request(request.body(Full::from(body))?);
        let answer = timeout(PATIENCE, answer).await;
        let answer = answer.with_context(|| format!("{url} does not answer"))??;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}
