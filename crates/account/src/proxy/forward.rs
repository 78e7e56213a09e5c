//! Passes a call on to the endpoint, and reads the answer.

use std::io;

use anyhow::{Context as _, ensure};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Uri,
    body::{Bytes, Incoming},
    http::{request, response, uri::Authority},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// More than a picture has, the largest request that goes through.
const MAX_REQUEST_BYTES: usize = 32 << 20;

/// The endpoint behind the proxy.
#[derive(Debug)]
pub struct Upstream {
    authority: Authority,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Upstream {
    /// An endpoint by its URL, such as `http://127.0.0.1:4566`.
    ///
    /// # Errors
    ///
    /// If it is not a URL like that.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url:?} is not a URL"))?;
        ensure!(uri.scheme_str() == Some("http"), "the proxy supports only http URLs, not {url:?}");
        let authority = uri.authority().cloned();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            authority: authority.with_context(|| format!("{url:?} has no host"))?,
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// Makes the call and reads the whole answer. The `Host` header is kept, because the signature
    /// covers it.
    pub async fn call(
        &self,
        mut head: request::Parts,
        body: Bytes,
    ) -> io::Result<(response::Parts, Bytes)> {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = Uri::builder()
            .scheme("http")
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .map_err(io::Error::other)?;
        let request = Request::from_parts(head, Full::new(body));
        let response = self.client.request(request).await;
        let (head, body) = response.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?;
        Ok((head, body.to_bytes()))
    }
}

/// Reads a whole request.
pub async fn read(request: Request<Incoming>) -> io::Result<(request::Parts, Bytes)> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_REQUEST_BYTES).collect().await;
    Ok((head, body.map_err(io::Error::other)?.to_bytes()))
}
