//! `local webhook send`: signs a webhook and sends it, as a payment provider would.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use console::http::{ask, client};
use http_body_util::Full;
use hyper::{Request, header::CONTENT_TYPE};
use jiff::Timestamp;
use local::{running::Running, secrets::Secrets};
use pubsub::env::Misconfigured;
use serde_json::{Value, json};
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook,
};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The options of `webhook`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Sign a webhook and send it; WEBHOOK_SECRETS has the secret, or else the running system
    Send(Send),
}

#[derive(clap::Args, Debug)]
struct Send {
    /// Who sends it, such as payments
    source: String,
    /// The type of the event, such as payment.received or payment.failed
    event_type: String,
    /// The order that is paid
    #[arg(long, value_name = "ID")]
    order: Option<String>,
    /// How much is paid
    #[arg(long, default_value = "80.00")]
    amount: String,
    /// The id of the payment [default: a new one]
    #[arg(long, value_name = "ID")]
    payment: Option<String>,
    /// The id of the event; the same id is the same event [default: a new one]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Where to send it, over plain HTTP [default: the page of the running system]
    #[arg(long)]
    url: Option<String>,
}

/// Sends a webhook and prints the answer.
///
/// # Errors
///
/// [`Misconfigured`] if there is nobody to send it to, or no secret to sign it with.
pub async fn run(Args { command: Command::Send(args) }: Args) -> anyhow::Result<ExitCode> {
    let running = match (Running::find(), &args.url) {
        (Some(running), None) => Some(running.with_orders()?),
        (running, _) => running,
    };
    let secrets = Secrets::from_environment().or(running.as_ref().map(|it| it.secrets.clone()));
    let url = args.url.clone().or(running.map(|it| it.page)).ok_or_else(|| {
        Misconfigured("nothing runs here: start `cargo run -p local`, or name a --url".to_owned())
    })?;
    let secret = secrets.as_ref().and_then(|secrets| secrets.of_source(&args.source));
    let key = secret.and_then(|secret| Webhook::new(&secret).ok()).ok_or_else(|| {
        let source = &args.source;
        Misconfigured(format!("WEBHOOK_SECRETS, or the running system, has no secret of {source}"))
    })?;
    let id = args.id.clone().unwrap_or_else(|| format!("msg_{}", Timestamp::now().as_nanosecond()));
    let (body, now) = (event(&args).to_string(), Timestamp::now());
    let request = Request::post(format!("{url}/webhooks/{}", args.source))
        .header(CONTENT_TYPE, "application/json")
        .header(HEADER_WEBHOOK_ID, &id)
        .header(HEADER_WEBHOOK_TIMESTAMP, now.as_second())
        .header(HEADER_WEBHOOK_SIGNATURE, key.sign(&id, now.as_second(), body.as_bytes())?)
        .body(Full::from(body))
        .context("this cannot be sent")?;
    let answer = ask(&client(), request, ANSWER_TIMEOUT).await;
    let (status, body) = answer.with_context(|| format!("asking {url}"))?;
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or("It is stored, and will be announced.");
    println!("{id}: {status}. {detail}");
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The event, as the specification recommends it.
fn event(args: &Send) -> Value {
    let now = Timestamp::now();
    let payment = args.payment.clone().unwrap_or_else(|| format!("pay_{}", now.as_nanosecond()));
    let data = args.order.as_ref().map_or(
        json!({}),
        |order| json!({ "payment_id": payment, "order_id": order, "amount": args.amount }),
    );
    json!({ "type": args.event_type, "timestamp": now, "data": data })
}
