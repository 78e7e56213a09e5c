//! The publisher's routes on an account of their own, as a browser and a program use them.

use axum::{
    Router,
    body::{self, Body},
    http::{HeaderMap, Request, StatusCode, header},
};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{routes::App, test_account::TestAccount};

pub const OFFER: &str = "Every order earns a smile.";

/// A publisher without a port.
pub struct Site {
    pub account: TestAccount,
    pub app: App,
    router: Router,
}

/// A response that was read.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Site {
    pub async fn start() -> Self {
        Self::on(TestAccount::start().await, |aws| aws.clone()).await
    }

    /// A publisher whose clients have the configuration that `configured` makes.
    pub async fn on(
        account: TestAccount,
        configured: impl Fn(&aws_config::SdkConfig) -> aws_config::SdkConfig,
    ) -> Self {
        let (mut app, _) = account.app(&configured(&account.aws));
        app.offer = OFFER.into();
        let webhooks = account.webhooks(&account.aws).routes();
        Self { router: crate::routes::router(app.clone(), webhooks), app, account }
    }

    /// The same with other limits.
    pub fn with(self, app: App) -> Self {
        Self { router: crate::routes::router(app.clone(), Router::new()), app, ..self }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body::to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A page, as a browser gets it.
    pub async fn page(&self, path: &str) -> Answer {
        self.send(
            Request::get(path).header(header::ACCEPT, "text/html").body(Body::empty()).unwrap(),
        )
        .await
    }

    /// JSON, as a program gets it.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Sends the form, as a browser does.
    pub async fn submit(&self, id: &str, customer: &str, total: &str) -> Answer {
        let fields = [("id", id), ("customer", customer), ("total", total)];
        let fields = fields.map(|(name, value)| format!("{name}={}", percent_encoded(value)));
        let request = Request::post("/").header(header::ACCEPT, "text/html");
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(fields.join("&"))).unwrap()).await
    }

    /// Sends an order as a program does, and returns the answer.
    pub async fn post(&self, key: Option<&str>, body: &Value) -> Answer {
        let mut request = Request::post("/orders").header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The value of an input field on a page.
pub fn field<'a>(page: &'a str, name: &str) -> &'a str {
    let after = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
    let value = after.and_then(|rest| rest.split('"').next());
    value.unwrap_or_else(|| panic!("no field {name} on {page}"))
}
