//! Hands out the credentials of a task, as ECS does, but valid for seconds: so the services ask for
//! new ones during an outage too. Behind a proxy of its own, which makes it fail.

use std::time::{Duration, SystemTime};

use account::proxy::{Conditions, Proxy};
use anyhow::Context as _;
use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};
use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// How long credentials are valid. The SDK asks for new ones up to 10 s before that ends. On ECS
/// they are valid for hours.
const LIFETIME: Duration = Duration::from_secs(15);
const PATH: &str = "/credentials";

/// A running endpoint. Dropping it stops it.
pub struct Credentials {
    /// The proxy in front of it.
    pub proxy: Proxy,
    _serving: AbortOnDropHandle<std::io::Result<()>>,
}

impl Credentials {
    /// Starts it on a free port of loopback.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the credentials' port")?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().route(PATH, get(async || Json(credentials())));
        let serving = tokio::spawn(async { axum::serve(listener, router).await });
        let proxy = Proxy::start(&url, Conditions::default()).await?;
        Ok(Self { proxy, _serving: AbortOnDropHandle::new(serving) })
    }

    /// The value for `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub fn url(&self) -> String {
        format!("{}{PATH}", self.proxy.url)
    }
}

fn credentials() -> Value {
    let until = DateTime::from(SystemTime::now() + LIFETIME);
    json!({
        "AccessKeyId": "local",
        "SecretAccessKey": "local",
        "Token": "local",
        "Expiration": until.fmt(DateTimeFormat::DateTime).unwrap_or_default(),
    })
}
