//! An empty outbox costs little, and nothing in it waits longer because of that. Time is simulated,
//! and so is the table.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Announcements, Entry};
use crate::{FIRST_LEASE, Items, Outbox, Settings, shards::Shards};

const SHARDS: u32 = 4;
const DECISECOND: Duration = Duration::from_millis(100);
/// What a query of the last of eight shards contains.
const LAST: &str = r#"{"S":"7"}"#;
const EMPTY: &str = r#"{"Count":0,"ScannedCount":0,"Items":[]}"#;
const ITEM: &str = r#"{"Count":1,"ScannedCount":1,"Items":[
    {"id":{"S":"one"},"placed_at":{"N":"1"},"outbox_due":{"N":"1"}}]}"#;

/// A table in which a process stores an item at a time, and crashes before it announces it.
#[derive(Clone, Debug)]
struct Scripted {
    stored_at: Option<Instant>,
    /// Whether the item is in a shard that only another process uses, which has stored others
    /// before, so that the outbox is never empty.
    is_beyond: bool,
    /// How long a call takes.
    call: Duration,
    /// The requests so far.
    calls: Arc<Mutex<Vec<Call>>>,
}

#[derive(Debug)]
struct Call {
    operation: String,
    body: String,
    at: Instant,
}

impl Call {
    /// The part of the index that a query reads.
    fn part(&self) -> &str {
        let value = self.body.split_once(r#"":part":{"S":""#).map(|(_, value)| value);
        value.and_then(|value| value.split('"').next()).unwrap_or_default()
    }
}

impl Scripted {
    fn new(stored_at: Option<Instant>) -> Self {
        Self { stored_at, is_beyond: false, call: Duration::ZERO, calls: Arc::default() }
    }

    /// The table, if the item is stored in the last of twice as many shards.
    fn beyond(stored_at: Instant) -> Self {
        Self { is_beyond: true, ..Self::new(Some(stored_at)) }
    }

    /// An outbox on the table, and the sender of what its process stores.
    fn run(&self, announcements: &Announcements) -> (mpsc::Sender<Entry>, JoinHandle<()>) {
        self.run_with(SHARDS, announcements)
    }

    fn run_with(
        &self,
        own: u32,
        announcements: &Announcements,
    ) -> (mpsc::Sender<Entry>, JoinHandle<()>) {
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let table = self.clone();
        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(table.clone())))
            .build();
        let table = "t".to_owned();
        let shards = match self.is_beyond {
            true => Shards::of(Items::new(&aws, table.clone()), own),
            false => own.into(),
        };
        let settings = Settings { table, shards, awaits_reports: true };
        let outbox = Outbox::new(&aws, settings, announcements.clone());
        let (fresh, waiting) = mpsc::channel(1);
        let never = CancellationToken::new();
        (fresh, tokio::spawn(outbox.run(waiting, never.clone(), never)))
    }

    fn count(&self, operation: &str, since: Instant) -> usize {
        let calls = self.calls.lock().unwrap();
        let counts = |call: &&Call| call.operation.contains(operation) && call.at >= since;
        calls.iter().filter(counts).count()
    }
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("X-Amz-Target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let stored = self.stored_at.is_some_and(|at| at <= Instant::now());
        let due = self.stored_at.is_some_and(|at| at + FIRST_LEASE <= Instant::now());
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let is_there = !self.is_beyond || body.contains(LAST);
        let answer = match operation.as_str() {
            "Scan" if stored || self.is_beyond => ITEM,
            // Both parts of the index have it, which is no harm here.
            "Query" if due && is_there => ITEM,
            "GetItem" if stored => r#"{"Item":{"id":{"S":"shards"},"most_shards":{"N":"8"}}}"#,
            "GetItem" => "{}",
            "Scan" | "Query" => EMPTY,
            _ => r#"{"Attributes":{"id":{"S":"one"},"placed_at":{"N":"1"}}}"#,
        };
        self.calls.lock().unwrap().push(Call { operation, body, at: Instant::now() });
        let answer = HttpResponse::new(200.try_into().unwrap(), answer.into());
        let call = self.call;
        HttpConnectorFuture::new(async move {
            sleep(call).await;
            Ok(answer)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_outbox_of_four_shards_takes_ten_requests_a_minute() {
    let table = Scripted::new(None);
    let (_fresh, _) = table.run(&Announcements::default());
    sleep(Duration::from_secs(60)).await;
    let since = Instant::now();
    sleep(Duration::from_secs(600)).await;
    let calls = table.count("", since);
    assert!((70..=100).contains(&calls), "{calls} requests in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn what_a_crashed_process_stored_is_announced_within_eight_seconds() {
    // Wherever in the rest between two looks it was stored.
    for tenths in (0..80).step_by(4) {
        let announcements = Announcements::default();
        let stored_at = Instant::now() + Duration::from_secs(20) + tenths * DECISECOND;
        let (_fresh, outbox) = Scripted::new(Some(stored_at)).run(&announcements);
        sleep_until(stored_at + FIRST_LEASE - DECISECOND).await;
        assert!(announcements.announced().is_empty(), "its process may still announce it");
        sleep_until(stored_at + Duration::from_secs(8) + DECISECOND).await;
        assert!(!announcements.announced().is_empty(), "stored after {tenths} tenths");
        outbox.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn what_this_process_stores_is_looked_after_at_once() {
    let (table, announcements) = (Scripted::new(None), Announcements::default());
    let (fresh, _) = table.run(&announcements);
    sleep(Duration::from_secs(60)).await;
    let since = Instant::now();
    let stored_at = Timestamp::now();
    fresh.send(Entry { id: "one".to_owned(), stored_at }).await.unwrap();
    sleep(Duration::from_millis(4_500)).await;
    assert_eq!(announcements.announced(), ["one"]);
    // Before its lease is over, a sweep notes it or renews the lease.
    assert!(table.count("Query", since) >= SHARDS as usize);
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_in_a_new_shard_is_announced_within_a_minute_however_busy_the_others_are() {
    let announcements = Announcements::default();
    let stored_at = Instant::now() + Duration::from_secs(100);
    let table = Scripted::beyond(stored_at);
    let (_fresh, _) = table.run(&announcements);
    sleep_until(stored_at).await;
    assert!(announcements.announced().is_empty());
    sleep(Duration::from_secs(60)).await;
    assert!(announcements.announced().contains(&"one".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn each_of_many_shards_is_swept_before_a_lease_in_it_is_over() {
    let announcements = Announcements::default();
    let mut table = Scripted::beyond(Instant::now() + Duration::from_secs(3_600));
    table.call = Duration::from_millis(10);
    let (_fresh, _) = table.run_with(256, &announcements);
    sleep(Duration::from_secs(60)).await;
    let calls = table.calls.lock().unwrap();
    let queries: Vec<_> = calls.iter().filter(|call| call.operation == "Query").collect();
    assert!(queries.len() > 256 * 10, "{} queries", queries.len());
    for sweep in queries.chunks_exact(256) {
        let parts: HashSet<_> = sweep.iter().map(|query| query.part()).collect();
        assert_eq!(parts.len(), 256, "a sweep takes all shards once");
        // It begins three seconds after the last one at most, and half a second later there are
        // items whose leases end.
        let took = sweep[255].at - sweep[0].at;
        assert!(took < Duration::from_millis(500), "a sweep takes {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn announced_items_are_looked_at_each_ten_to_twenty_seconds() {
    let table = Scripted::beyond(Instant::now() + Duration::from_secs(3_600));
    let (_fresh, _) = table.run(&Announcements::default());
    sleep(Duration::from_secs(600)).await;
    let calls = table.calls.lock().unwrap();
    let looks = calls.iter().filter(|call| call.part() == "0 announced").count();
    assert!((25..=60).contains(&looks), "{looks} looks in ten minutes");
}
