//! Takes orders over HTTP, stores them and announces them.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use archive::Archive;
use aws_config::timeout::TimeoutConfig;
use clap::Parser;
use flow::{Flow, QueueNames};
use futures_util::FutureExt as _;
use orders::{
    event::{ORDERS_TOPIC, PING_TOPIC},
    keep::Keep,
    payment::WEBHOOKS_TOPIC,
};
use outbox::{Outbox, shards};
use pubsub::{
    aws,
    limits::between,
    program::Health,
    subscribe::{self, Limits, subscribe},
    topics::Topics,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use web::{
    gate::Gate,
    serve::{Address, serve as serve_http},
};
use webhooks::Webhooks;

mod routes;

mod orders_table;

mod announcements;

mod projection;

mod live;

#[cfg(test)]
mod test_account;

use announcements::Announcements;
use live::Live;
use orders_table::OrdersTable;
use projection::Projection;
use routes::{App, MAX_ORDERS, MAX_REQUESTS};

const HEALTH: Health = Health { port: "port", path: "/ping" };

/// How long DynamoDB may take to answer, before a call is repeated. If it hangs and then answers
/// again, the orders that wait for it are stored after this time at most.
const ORDERS_TIMEOUT: Duration = Duration::from_millis(2_500);
/// How long a call may take with all its repetitions: a customer waits for it.
const ORDERS_PATIENCE: Duration = Duration::from_secs(5);
/// How long requests in progress may take to finish after SIGTERM.
const DRAIN: Duration = Duration::from_secs(20);
/// How long the last receive and the reports that it brings may take.
const REPORTS_DRAIN: Duration = Duration::from_secs(30);

/// Takes orders over HTTP, stores them in DynamoDB and announces them on SNS.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    topics: Topics,
    /// The DynamoDB table of orders
    #[arg(long, value_name = "TABLE", env = "ORDERS_TABLE_NAME")]
    orders_table_name: String,
    /// How many shards new orders are spread over, in the indexes of the table, each of which takes
    /// some 500 orders a second
    #[arg(long, value_name = "SHARDS", env = "ORDERS_SHARDS", default_value_t = shards::DEFAULT)]
    #[arg(value_parser = between::<u32>(1, 256))]
    orders_shards: u32,
    /// The URL of the queue of the workers' reports
    #[arg(long, value_name = "URL", env = "STATUS_QUEUE_URL")]
    status_queue_url: String,
    /// The services, separated by commas, that have to be done before an order counts as done;
    /// without any, an announced order does
    #[arg(long, value_name = "SERVICES", env = "DONE_WHEN", value_delimiter = ',')]
    done_when: Vec<String>,
    /// How queues are named after services, such as shop-{service}-queue; /flow shows the services
    #[arg(long, value_name = "PATTERN", env = "QUEUE_NAMES", default_value = "{service}")]
    queue_names: QueueNames,
    /// For how many days an order is kept after it was done; 0 is for ever
    #[arg(long, value_name = "DAYS", env = "KEEP_ORDERS_DAYS", default_value_t = 90)]
    #[arg(value_parser = between::<u32>(0, 3_650))]
    keep_orders_days: u32,
    /// The DynamoDB table of events, which the page of an order's history shows; without it there
    /// is no such page
    #[arg(long, value_name = "TABLE", env = "EVENTS_TABLE_NAME")]
    events_table_name: Option<String>,
    /// A line of text below the form's total
    #[arg(long, value_name = "TEXT", env = "OFFER", default_value = "")]
    offer: Arc<str>,
    /// Where a person sees a trace, with {trace} in place of its id; the page of an order links to
    /// it
    #[arg(long, value_name = "URL", env = "TRACES_URL")]
    traces_url: Option<Arc<str>>,
    #[command(flatten)]
    address: Address,
    #[command(flatten)]
    webhooks: webhooks::Settings,
    #[command(flatten)]
    limits: Limits,
}

fn main() -> ExitCode {
    pubsub::run(HEALTH, serve)
}

async fn serve(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let aws = aws::config().await;
    let quick = TimeoutConfig::builder().operation_attempt_timeout(ORDERS_TIMEOUT);
    let quick = quick.operation_timeout(ORDERS_PATIENCE).build();
    let quick = aws.clone().into_builder().timeout_config(quick).build();
    let table = settings.orders_table_name.clone();
    let keep = Keep::days(settings.keep_orders_days);
    let (shards, done_when) = (settings.orders_shards, settings.done_when.clone().into());
    let orders = OrdersTable::new(&quick, table, shards, done_when, keep);
    let topic_arn = settings.topics.arn(ORDERS_TOPIC)?.to_owned();
    let flow = Flow::new(&aws, topic_arn, settings.queue_names, settings.events_table_name.clone());
    let webhooks_arn = settings.topics.arn(WEBHOOKS_TOPIC)?.to_owned();
    let flow = flow.with_payments(webhooks_arn, &settings.status_queue_url);
    let live = Live::new(orders.clone(), flow, shutdown.clone());
    let outbox = outbox::Settings {
        table: settings.orders_table_name,
        shards: orders.shards().clone(),
        awaits_reports: !settings.done_when.is_empty(),
    };
    let topic = settings.topics.topic(&aws, ORDERS_TOPIC)?;
    let announcements = Announcements { orders: orders.clone(), topic, live: live.clone() };
    let outbox = Outbox::new(&aws, outbox, announcements);
    let (fresh, waiting) = mpsc::channel(outbox::MAX_WAITING);
    let app = App {
        orders: orders.clone(),
        outbox: outbox.clone(),
        fresh,
        ping: settings.topics.topic(&aws, PING_TOPIC)?,
        placing: Gate::new("orders", MAX_ORDERS),
        asking: Gate::new("requests", MAX_REQUESTS),
        live: live.clone(),
        events: settings.events_table_name.map(|table| Archive::new(&aws, table)),
        offer: settings.offer,
        traces: settings.traces_url,
    };
    let topic = settings.topics.topic(&aws, WEBHOOKS_TOPIC)?;
    let webhooks = Webhooks::new(&quick, settings.webhooks, topic)?;
    let address = settings.address;
    let listener = address.listen().await?;

    let served = CancellationToken::new();
    let projection = Projection { orders, live, outbox: outbox.clone() };
    let router = routes::router(app, webhooks.routes());
    let webhooks = webhooks.announce(shutdown.clone(), served.clone());
    let outbox = outbox.run(waiting, shutdown.clone(), served.clone());
    let mut outboxes = tokio::spawn(async { tokio::join!(outbox, webhooks) });
    let reports = subscribe::Settings::new(settings.status_queue_url).limited(settings.limits);
    let reports = subscribe::Settings { drain: REPORTS_DRAIN, ..reports };
    let project = move |news, message| projection.clone().handle(news, message);
    let projection = subscribe(&aws, reports, shutdown.clone(), project);
    let serve = serve_http(listener, router, address.proxies, shutdown, DRAIN).map(anyhow::Ok);
    tokio::select! {
        finished = async { tokio::try_join!(serve, projection) } => drop(finished?),
        // Without an outbox nothing would be announced: exit, so that a new process starts.
        failed = &mut outboxes => return failed.map(drop).context("outbox task failed"),
    }
    served.cancel();
    outboxes.await.map(drop).context("outbox task failed")
}
