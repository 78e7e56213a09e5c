//! Publish/subscribe in one message.

use axum::{Json, extract::State};
use orders::event;
use rand::RngExt as _;
use serde::Serialize;
use web::Problem;

use super::app::App;

const RANDOM_LETTERS: usize = 5;

/// `GET /ping`: the load balancer's health check.
///
/// It does not call AWS: replacing tasks does not help when a table is unavailable.
pub async fn answer() -> &'static str {
    "ok"
}

/// `POST /ping`: publishes a message with a random text.
pub async fn publish(State(app): State<App>) -> Result<Json<Ping>, Problem> {
    let letters = random_letters();
    let message = format!("Hello! Message sent: {letters}");
    let ping = event::ping(message.clone(), letters);
    app.ping.publish(ping).await.map_err(Problem::unavailable)?;
    tracing::info!(ping = message, "published a ping");
    Ok(Json(Ping { message }))
}

fn random_letters() -> String {
    let mut random = rand::rng();
    (0..RANDOM_LETTERS).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
}

/// What was published.
#[derive(Serialize)]
pub struct Ping {
    message: String,
}
