//! Sources of webhooks, as a test plays them.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::ensure;
use jiff::Timestamp;
use reqwest::{Response, header};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::TestSystem;

/// The sources, and their secrets. Those of payments are being replaced.
pub const SOURCES: &str = r#"{
    "payments": ["whsec_bmV3IHNlY3JldCBvZiBwYXltZW50cyBhYmM=",
        "whsec_b2xkIHNlY3JldCBvZiBwYXltZW50cyBhYmM="],
    "shipping": ["whsec_c2VjcmV0IG9mIHNoaXBwaW5nIGFiY2RlZg=="]}"#;
/// The secrets in it.
pub const NEW: &str = "whsec_bmV3IHNlY3JldCBvZiBwYXltZW50cyBhYmM=";
pub const OLD: &str = "whsec_b2xkIHNlY3JldCBvZiBwYXltZW50cyBhYmM=";
pub const SHIPPING: &str = "whsec_c2VjcmV0IG9mIHNoaXBwaW5nIGFiY2RlZg==";

/// An event of a payment of 80 for an order.
pub fn payment(event_type: &str, order: &str) -> Value {
    payment_called("pay_1", event_type, order)
}

pub fn payment_called(payment: &str, event_type: &str, order: &str) -> Value {
    json!({
        "type": event_type,
        "timestamp": Timestamp::now(),
        "data": {"payment_id": payment, "order_id": order, "amount": "80.00"},
    })
}

impl TestSystem {
    /// Sends a genuine webhook with an id of its own, and expects that it is taken.
    pub async fn webhook(&self, source: &str, event: &Value) -> anyhow::Result<()> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let id = format!("msg_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let secret = if source == "payments" { NEW } else { SHIPPING };
        let answer = self.webhook_signed(source, secret, &id, event).await?;
        let status = answer.status();
        ensure!(status == 202, "a webhook of {source} was answered {status}");
        Ok(())
    }

    /// Sends a webhook.
    pub async fn webhook_signed(
        &self,
        source: &str,
        secret: &str,
        id: &str,
        event: &Value,
    ) -> anyhow::Result<Response> {
        let (body, now) = (event.to_string(), Timestamp::now().as_second());
        let request = self.http.post(self.url(&format!("/webhooks/{source}")));
        let request = request
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", Webhook::new(secret)?.sign(id, now, body.as_bytes())?);
        Ok(request.body(body).send().await?)
    }
}
