//! Sends orders and messages, good ones and bad ones.

use anyhow::Context as _;
use aws_sdk_sns::types::MessageAttributeValue;
use orders::{
    event::{AMOUNT, EVENT_TYPE, ORDER_PLACED, ORDERS_TOPIC},
    order::OrderId,
};
use serde_json::{Value, json};

use crate::{
    app::App,
    sample,
    traffic::{MAX_BURST, MAX_RATE},
};

/// The type of an event that no subscriber knows.
const UNKNOWN_TYPE: &str = "order.teleported";

pub fn rate(app: &App, rate: &str) -> anyhow::Result<String> {
    let rate: u32 = rate.parse().context("the orders a second")?;
    anyhow::ensure!(rate <= MAX_RATE, "at most {MAX_RATE} orders a second");
    app.traffic.set_rate(&app.http, page(app)?, rate);
    Ok(format!("{rate} orders a second."))
}

pub fn burst(app: &App, count: &str) -> anyhow::Result<String> {
    let count: usize = count.parse().context("the number of orders")?;
    anyhow::ensure!(count <= MAX_BURST, "at most {MAX_BURST} orders at once");
    app.traffic.burst(&app.http, page(app)?, count);
    Ok(format!("Sending {count} orders."))
}

pub async fn order(app: &App, total: &str) -> anyhow::Result<String> {
    let order = placed(app, total).await?;
    Ok(format!("Order {} of {total} was stored.", text(&order["id"])))
}

/// An order that SNS sends twice, as it may at any time.
pub async fn duplicate(app: &App) -> anyhow::Result<String> {
    let order = placed(app, "120").await?;
    let message = json!({
        "id": order["id"], "customer": order["customer"], "amount": order["amount"]
    });
    publish(app, ORDER_PLACED, "120", &message.to_string()).await?;
    Ok(format!("Order {} was sent twice.", text(&order["id"])))
}

/// A message of a type that no subscriber knows.
pub async fn unknown(app: &App) -> anyhow::Result<String> {
    publish(app, UNKNOWN_TYPE, "120", "{}").await?;
    Ok(format!("A message of the type {UNKNOWN_TYPE} was sent."))
}

/// A message that no worker can read, as its total is not a text, into the queue of a service.
pub async fn poison(app: &App, service: &str) -> anyhow::Result<String> {
    let found = app.sources.account.service(service).and_then(|it| it.queue.as_ref());
    let queue = found.with_context(|| format!("{service} has no queue"))?;
    let id = OrderId::new().to_string();
    let body = json!({ "id": id, "customer": "Ada", "amount": 99.5 }).to_string();
    let send = app.sqs.send_message().queue_url(&queue.url).message_body(body);
    send.send().await.context("sending the message")?;
    Ok(format!("A poison message is in the queue of {service}: {id}."))
}

async fn placed(app: &App, total: &str) -> anyhow::Result<Value> {
    let order = sample::send(&app.http, page(app)?, total).await?;
    serde_json::from_str(&order).context("reading the order")
}

async fn publish(app: &App, kind: &str, amount: &str, message: &str) -> anyhow::Result<()> {
    let arns = app.sources.account.services.iter();
    let arn = arns.filter_map(|service| service.topics.get(ORDERS_TOPIC)).next();
    let arn = arn.context("there is no topic of orders")?;
    let attribute = |kind: &str, value: &str| {
        MessageAttributeValue::builder().data_type(kind).string_value(value).build()
    };
    let publish = app.sns.publish().topic_arn(arn).message(message);
    let publish = publish
        .message_attributes(EVENT_TYPE, attribute("String", kind)?)
        .message_attributes(AMOUNT, attribute("Number", amount)?);
    publish.send().await.context("publishing the message")?;
    Ok(())
}

fn page(app: &App) -> anyhow::Result<&str> {
    app.sources.page.as_deref().context("no publisher is known")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
