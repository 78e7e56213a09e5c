//! Hands out the credentials of a task, as ECS does, but valid for seconds: so the services ask for
//! new ones during an outage too. Behind a proxy of its own, which makes it fail.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use account::{
    provision::Account,
    proxy::{Conditions, Proxy},
};
use anyhow::Context as _;
use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};
use axum::{Json, Router, extract::Path, http::StatusCode, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::chaos::fleet::FIXED_CREDENTIALS;

/// How long credentials are valid. The SDK asks for new ones up to 10 s before that ends. On ECS
/// they are valid for hours.
const LIFETIME: Duration = Duration::from_secs(15);

/// A running endpoint. Dropping it stops it.
pub struct Credentials {
    /// The proxy in front of it; each service has a path of its name.
    pub proxy: Proxy,
    _serving: AbortOnDropHandle<std::io::Result<()>>,
}

impl Credentials {
    /// Starts it on a free port of loopback. The services of `account` get the credentials there
    /// that they would have otherwise.
    ///
    /// # Errors
    ///
    /// If a service has none.
    pub async fn start(account: &Account) -> anyhow::Result<Self> {
        let mut of_services = BTreeMap::new();
        for service in &account.services {
            let [key, secret] = FIXED_CREDENTIALS.map(|name| service.variable(name));
            of_services.insert(service.name.clone(), (key?.to_owned(), secret?.to_owned()));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the credentials' port")?;
        let url = format!("http://{}", listener.local_addr()?);
        let hand_out = async move |Path(service): Path<String>| {
            let (key, secret) = of_services.get(&service).ok_or(StatusCode::NOT_FOUND)?;
            Ok::<_, StatusCode>(Json(credentials(key, secret)))
        };
        let router = Router::new().route("/{service}", get(hand_out));
        let serving = tokio::spawn(async { axum::serve(listener, router).await });
        let proxy = Proxy::start(&url, Conditions::default()).await?;
        Ok(Self { proxy, _serving: AbortOnDropHandle::new(serving) })
    }
}

fn credentials(key: &str, secret: &str) -> Value {
    let until = DateTime::from(SystemTime::now() + LIFETIME);
    json!({
        "AccessKeyId": key,
        "SecretAccessKey": secret,
        "Token": "a session",
        "Expiration": until.fmt(DateTimeFormat::DateTime).unwrap_or_default(),
    })
}
