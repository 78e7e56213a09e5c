//! Takes pictures of receipts, and shows what becomes of them.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use futures_util::FutureExt as _;
use outbox::Outbox;
use pubsub::{
    aws,
    limits::between,
    notification::Notification,
    program::Health,
    subscribe::{self, Failure, Json, Limits, subscribe},
    topics::Topics,
};
use receipts::{Progress, RECEIPTS_TOPIC};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use web::{
    gate::Gate,
    serve::{Address, serve as serve_http},
    viewers,
    watch::Watchers,
};

mod app;

mod announcements;

mod bucket;

mod pages;

mod receipt;

mod table;

mod upload;

use announcements::Announcements;
use app::App;
use bucket::Bucket;
use table::{SHARDS, Table};

const HEALTH: Health = Health { port: "port", path: "/ping" };
/// The most viewers of progress at once.
const VIEWERS: viewers::Limits = viewers::Limits { in_all: 1_000, of_a_client: 50 };
/// The most uploads under way at once. Each is a connection from a client and one to S3.
const MAX_UPLOADS: usize = 50;
/// How long requests in progress may take to finish after SIGTERM.
const DRAIN: Duration = Duration::from_secs(20);

/// Takes pictures of receipts over HTTP, stores them in S3 and announces them on SNS.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    #[command(flatten)]
    topics: Topics,
    /// The DynamoDB table of receipts
    #[arg(long, value_name = "TABLE", env = "RECEIPTS_TABLE_NAME")]
    receipts_table_name: String,
    /// The S3 bucket of pictures
    #[arg(long, value_name = "BUCKET", env = "PICTURES_BUCKET_NAME")]
    pictures_bucket_name: String,
    /// The URL of the queue of the scanner's progress
    #[arg(long, value_name = "URL", env = "STATUS_QUEUE_URL")]
    status_queue_url: String,
    /// For how many days a receipt is kept; the bucket's rule should say the same
    #[arg(long, value_name = "DAYS", env = "KEEP_DAYS", default_value_t = 30)]
    #[arg(value_parser = between::<u32>(1, 3_650))]
    keep_days: u32,
    #[command(flatten)]
    address: Address,
    #[command(flatten)]
    limits: Limits,
}

fn main() -> ExitCode {
    pubsub::run(HEALTH, serve)
}

async fn serve(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let aws = aws::config().await;
    let table = settings.receipts_table_name;
    let receipts = Table::new(&aws, table.clone(), settings.keep_days);
    let reading = receipts.clone();
    let live = Watchers::new(VIEWERS, shutdown.clone(), move |id| {
        let receipts = reading.clone();
        async move { receipts.get(id).await }
    });
    let topic = settings.topics.topic(&aws, RECEIPTS_TOPIC)?;
    let outbox = outbox::Settings { table, shards: SHARDS.into(), awaits_reports: true };
    let announcements = Announcements { topic, live: live.clone() };
    let outbox = Outbox::new(&aws, outbox, announcements);
    let (fresh, waiting) = mpsc::channel(outbox::MAX_WAITING);
    let app = App {
        receipts: receipts.clone(),
        bucket: Bucket::new(&aws, settings.pictures_bucket_name),
        uploads: Gate::new("uploads", MAX_UPLOADS),
        fresh,
        live: live.clone(),
    };
    let listener = settings.address.listen().await?;

    let served = CancellationToken::new();
    let mut announcing =
        tokio::spawn(outbox.clone().run(waiting, shutdown.clone(), served.clone()));
    let project = move |Json(progress): Json<Progress>, _: Notification| {
        let (receipts, outbox, live) = (receipts.clone(), outbox.clone(), live.clone());
        async move {
            let id = progress.receipt_id;
            // Progress that came late, or of a receipt that has ended, changes nothing.
            if let Some(receipt) = receipts.project(&progress).await? {
                outbox.reported(&id.to_string(), receipt.stored_at);
                live.changed(&id, receipt);
            }
            Ok::<_, Failure>(())
        }
    };
    let queue = subscribe::Settings::new(settings.status_queue_url).limited(settings.limits);
    let projection = subscribe(&aws, queue, shutdown.clone(), project);
    let router = pages::router(app);
    let serve =
        serve_http(listener, router, settings.address.proxies, shutdown, DRAIN).map(anyhow::Ok);
    tokio::select! {
        finished = async { tokio::try_join!(serve, projection) } => drop(finished?),
        // Without an outbox nothing would be announced: exit, so that a new process starts.
        failed = &mut announcing => return failed.context("outbox task failed"),
    }
    served.cancel();
    announcing.await.context("outbox task failed")
}
