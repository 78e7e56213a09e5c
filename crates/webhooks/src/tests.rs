//! Webhooks on an account in this process: each case with its answer, and what is stored.

use std::{collections::HashSet, path::Path};

use account::embedded::EmbeddedAccount;
use aws_sdk_dynamodb::Client;
use axum::{
    Router,
    body::{self, Body},
    http::{HeaderName, Request, StatusCode, header},
    middleware::from_fn_with_state,
};
use jiff::Timestamp;
use outbox::Item;
use pubsub::topic::Topic;
use serde_json::Value;
use standardwebhooks::{
    HEADER_WEBHOOK_ID as ID, HEADER_WEBHOOK_SIGNATURE as SIGNATURE,
    HEADER_WEBHOOK_TIMESTAMP as TIME, Webhook as Key,
};
use tower::ServiceExt as _;
use web::audience::{ProblemFormat, negotiate_problems};

use crate::{Settings, Webhooks, secrets::Secrets};

mod refused;

mod secrets;

mod stored;

const NEW: &str = "whsec_bmV3IHNlY3JldCBvZiBwYXltZW50cyBhYmM=";
const OLD: &str = "whsec_b2xkIHNlY3JldCBvZiBwYXltZW50cyBhYmM=";
const OTHER: &str = "whsec_c2VjcmV0IG9mIHNoaXBwaW5nIGFiY2RlZg==";
const BODY: &str = r#"{"type":"payment.received","data":{"payment_id":"pay_1"}}"#;

/// A receiver of webhooks that announces nothing yet, and its account.
struct Site {
    webhooks: Webhooks,
    table: String,
    dynamodb: Client,
    account: EmbeddedAccount,
}

/// A request, in the making.
#[derive(Clone)]
struct Sent {
    path: String,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
}

impl Site {
    async fn start() -> Self {
        let copilot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
        let account = EmbeddedAccount::of_files(&copilot).await.unwrap();
        let publisher = account.account.service("publisher").unwrap();
        let (aws, dynamodb) = (
            account.target.config_of(publisher).await,
            Client::new(&account.target.config().await),
        );
        let table = publisher.variable("WEBHOOKS_TABLE_NAME").unwrap().to_owned();
        let topic = Topic::new(&aws, publisher.topic_arn("webhooksTopic").unwrap().to_owned());
        let sources = format!(r#"{{"payments": ["{NEW}", "{OLD}"], "shipping": ["{OTHER}"]}}"#);
        let settings = Settings {
            webhooks_table_name: table.clone(),
            webhook_secrets: sources.parse::<Secrets>().unwrap(),
            keep_webhooks_days: 30,
        };
        Self { webhooks: Webhooks::new(&aws, settings, topic).unwrap(), table, dynamodb, account }
    }

    /// The status of the answer, and its body.
    async fn send(&self, sent: &Sent) -> (StatusCode, String) {
        let format = ProblemFormat { page: |it| it.json(), programs_only: |_, _| true };
        let layer = from_fn_with_state(format, negotiate_problems);
        let router: Router = self.webhooks.routes().layer(layer);
        let mut request = Request::post(&sent.path);
        for (name, value) in &sent.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(sent.body.clone())).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Everything that is stored.
    async fn items(&self) -> Vec<Item> {
        let scan = self.dynamodb.scan().table_name(&self.table).consistent_read(true);
        scan.send().await.unwrap().items.unwrap_or_default()
    }
}

impl Sent {
    /// A genuine webhook.
    fn signed(secret: &str, id: &str, body: &str) -> Self {
        Self::signed_at(Timestamp::now().as_second(), secret, id, body)
    }

    fn signed_at(second: i64, secret: &str, id: &str, body: &str) -> Self {
        let signature = Key::new(secret).unwrap().sign(id, second, body.as_bytes()).unwrap();
        let headers = [
            (header::CONTENT_TYPE, "application/json".to_owned()),
            (HeaderName::from_static(ID), id.to_owned()),
            (HeaderName::from_static(TIME), second.to_string()),
            (HeaderName::from_static(SIGNATURE), signature),
        ];
        let (path, headers) = ("/webhooks/payments".to_owned(), headers.to_vec());
        Self { path, headers, body: body.as_bytes().to_vec() }
    }

    fn genuine() -> Self {
        Self::signed(NEW, "msg_1", BODY)
    }

    fn to(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| header != name);
        self
    }

    /// With one more header.
    fn and(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((HeaderName::from_static(name), value.to_owned()));
        self
    }

    /// With another value of a header.
    fn with(self, name: &'static str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    fn value(&self, name: &str) -> &str {
        &self.headers.iter().find(|(header, _)| header == name).unwrap().1
    }
}
