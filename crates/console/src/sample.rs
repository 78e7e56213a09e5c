//! Sample orders, as other programs would send them.

use fake::{Fake as _, faker::name::en::FirstName};
use hyper::StatusCode;
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::http::Http;

/// The most orders that wait for an answer at a time.
pub const MAX_OPEN: usize = 100;
/// Half of the totals are above promotion's limit, and half are below.
const TOTAL_CENTS: std::ops::Range<u32> = 100..16_000;

/// A total from 1 to 160, half of which earn a coupon.
pub fn total() -> String {
    let cents = rand::rng().random_range(TOTAL_CENTS);
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Sends an order with this total to the publisher at the URL `page`, and returns it as the
/// publisher does: as JSON.
///
/// # Errors
///
/// If it was not stored.
pub async fn send(http: &Http, page: &str, total: &str) -> anyhow::Result<String> {
    let customer: String = FirstName().fake();
    let body = json!({ "customer": customer, "amount": total }).to_string();
    let url = format!("{page}/orders");
    let (status, text) = http.ask("POST", &url, "application/json", body).await?;
    anyhow::ensure!(status == StatusCode::CREATED, "{status}: {}", detail(&text));
    Ok(text)
}

/// What a problem says.
fn detail(text: &str) -> String {
    let problem: Value = serde_json::from_str(text).unwrap_or_default();
    problem["detail"].as_str().unwrap_or(text).to_owned()
}
