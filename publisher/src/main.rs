//! Takes orders over HTTP, stores them and announces them.

use std::{net::Ipv4Addr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use flow::Flow;
use pubsub::{
    Program,
    env::{self, Misconfigured},
    event::{ORDERS_TOPIC, PING_TOPIC},
    subscribe::{Settings, subscribe},
    topic::Topic,
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

mod routes;

mod orders_table;

mod outbox;

mod status;

mod live;

#[cfg(test)]
mod bed;

use orders_table::OrdersTable;
use outbox::Outbox;
use routes::App;

const PORT: (&str, u16) = ("PORT", 5000);

/// How long requests under way may take to end; a browser's idle connection takes all of it.
const DRAIN: Duration = Duration::from_secs(20);

const PROGRAM: Program = Program {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    about: "Takes orders over HTTP, stores them in DynamoDB and announces them on SNS.",
    health_port: PORT,
    health_path: "/ping",
    variables: &[
        ("COPILOT_SNS_TOPIC_ARNS", "the topics, as JSON: ordersTopic and ping"),
        ("ORDERS_TABLE_NAME", "the DynamoDB table of orders"),
        ("STATUS_QUEUE_URL", "the queue of what the workers tell"),
        ("PORT", "the port to listen on (5000)"),
        ("MAX_IN_FLIGHT", "how many reports are projected at once (100)"),
        ("RECEIVE_WAIT_SECONDS", "how long a receive waits for them, up to 20 (20)"),
    ],
};

fn main() -> ExitCode {
    pubsub::run(&PROGRAM, serve)
}

async fn serve(shutdown: CancellationToken) -> anyhow::Result<()> {
    let (variable, default_port) = PORT;
    let port = env::parsed(variable, default_port, "a port number")?;
    let table_name = env::required("ORDERS_TABLE_NAME")?;
    let (orders_arn, ping_arn) = (env::topic_arn(ORDERS_TOPIC)?, env::topic_arn(PING_TOPIC)?);
    let status = Settings { drain: DRAIN, ..Settings::for_queue_in("STATUS_QUEUE_URL")? };

    let aws = pubsub::aws::config().await;
    let orders = OrdersTable::new(&aws, table_name);
    let live = live::live(orders.clone(), shutdown.clone());
    let outbox = Outbox::new(orders.clone(), Topic::new(&aws, orders_arn.clone()), live.clone());
    let (fresh, waiting) = mpsc::channel(outbox::MAX_WAITING);
    let app = App {
        orders: orders.clone(),
        fresh,
        ping: Topic::new(&aws, ping_arn),
        live: live.clone(),
        flow: Flow::new(&aws, orders_arn),
    };
    let listener = listen(port).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");

    let served = CancellationToken::new();
    let mut outbox = tokio::spawn(outbox.run(waiting, shutdown.clone(), served.clone()));
    let project = move |notification| status::project(notification, orders.clone(), live.clone());
    let status = subscribe(&aws, status, shutdown.clone(), project);
    let server = axum::serve(listener, routes::router(app))
        .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let ended = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    let served_and_told =
        async { tokio::try_join!(async { server.await.context("serving") }, status) };
    tokio::select! {
        ended = served_and_told => drop(ended?),
        () = ended => tracing::warn!("closing connections that are still open"),
        // Nothing would be announced any more: a new process has to.
        broken = &mut outbox => return broken.context("the outbox ended badly"),
    }
    served.cancel();
    outbox.await.context("the outbox ended badly")
}

async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .await
        .map_err(|error| Misconfigured(format!("cannot listen on PORT {port}: {error}")).into())
}
