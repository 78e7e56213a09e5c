//! An outbox on the orders table of an account in this process.

use std::{
    collections::VecDeque,
    io::{self, BufRead as _, BufReader, PipeReader},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use account::embedded::EmbeddedAccount;
use anyhow::{Context as _, anyhow};
use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use pubsub::unavailable::Unavailable;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::subscriber::{DefaultGuard, set_default, set_global_default};

use crate::{Announce, Item, Items, Key, Outbox, Settings, items::number, table::parsed};

mod again;

mod crashes;

mod idle;

mod leases;

mod outages;

mod sweeps;

/// The shard of all items in these tests.
const SHARD: u32 = 0;
/// Longer than a call takes on a busy machine: these tests are not about timeouts.
const PATIENCE: Duration = Duration::from_secs(60);

/// How an announcement ends.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// The topic is unavailable.
    Unavailable,
    /// The topic refuses the item.
    Refused,
    /// There is no answer until the test is over.
    Silence,
}

/// What is announced, and how that ends.
#[derive(Clone, Debug, Default)]
struct Announcements {
    /// The ends of the next announcements; all others succeed.
    script: Arc<Mutex<VecDeque<Outcome>>>,
    announced: Arc<Mutex<Vec<String>>>,
    noted: Arc<Mutex<Vec<String>>>,
}

impl Announcements {
    fn scripted(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let script = Arc::new(Mutex::new(outcomes.into_iter().collect()));
        Self { script, ..Self::default() }
    }

    /// The items that were announced so far.
    fn announced(&self) -> Vec<String> {
        self.announced.lock().unwrap().clone()
    }

    /// The items whose announcements were noted so far.
    fn noted(&self) -> Vec<String> {
        self.noted.lock().unwrap().clone()
    }
}

/// An item of the tests.
#[derive(Clone, Debug)]
struct Entry {
    id: String,
    stored_at: Timestamp,
}

impl Entry {
    fn key(&self) -> Key {
        let Self { id, stored_at } = self.clone();
        Key::new(id, SHARD, stored_at)
    }
}

impl Announce for Announcements {
    type Entry = Entry;

    fn read(&self, item: &Item) -> anyhow::Result<Entry> {
        let stored_at = Timestamp::from_millisecond(parsed(item, "placed_at")?)?;
        Ok(Entry { id: parsed(item, "id")?, stored_at })
    }

    fn key(&self, entry: &Entry) -> Key {
        entry.key()
    }

    async fn announce(&self, entry: &Entry) -> anyhow::Result<()> {
        let outcome = self.script.lock().unwrap().pop_front();
        match outcome {
            Some(Outcome::Unavailable) => return Err(Unavailable::new(anyhow!("throttled")).into()),
            Some(Outcome::Refused) => return Err(anyhow!("too large")),
            Some(Outcome::Silence) => std::future::pending().await,
            None => self.announced.lock().unwrap().push(entry.id.clone()),
        }
        Ok(())
    }

    fn noted(&self, entry: Entry) {
        self.noted.lock().unwrap().push(entry.id);
    }
}

/// An account with the orders table.
struct TestAccount {
    aws: SdkConfig,
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    _account: EmbeddedAccount,
}

impl TestAccount {
    async fn start() -> Self {
        let copilot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
        let account = EmbeddedAccount::of_files(&copilot).await.unwrap();
        let patient = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).build();
        let config = account.target.config().await;
        let aws = config.into_builder().timeout_config(patient).build();
        let publisher = account.account.service("publisher").unwrap();
        let table = publisher.variable("ORDERS_TABLE_NAME").unwrap().to_owned();
        Self { dynamodb: aws_sdk_dynamodb::Client::new(&aws), aws, table, _account: account }
    }

    fn outbox(&self, announcements: &Announcements) -> Outbox<Announcements> {
        self.outbox_of(&self.aws, announcements, true)
    }

    fn outbox_of(
        &self,
        aws: &SdkConfig,
        announcements: &Announcements,
        awaits_reports: bool,
    ) -> Outbox<Announcements> {
        let settings = Settings { table: self.table.clone(), shards: 1.into(), awaits_reports };
        Outbox::new(aws, settings, announcements.clone())
    }

    /// Stores an item as a service does.
    async fn store(&self, id: &str) -> Entry {
        let stored_at = Timestamp::now();
        let item = [("placed_at", number(stored_at.as_millisecond())), ("version", number(1))];
        let entry = Entry { id: id.to_owned(), stored_at };
        let items = Items { dynamodb: self.dynamodb.clone(), table: self.table.clone() };
        assert_eq!(items.store(&entry.key(), item).await.unwrap(), None);
        entry
    }

    async fn store_overdue(&self, id: &str) {
        self.store(id).await;
        self.make_due(id, 0).await;
    }

    /// Sets when an item is due, in milliseconds since 1970, unless it left the outbox.
    async fn make_due(&self, id: &str, at: i64) {
        let update = self
            .update(id)
            .update_expression("SET outbox_due = :at")
            .condition_expression("attribute_exists(outbox)")
            .expression_attribute_values(":at", AttributeValue::N(at.to_string()));
        let updated = update.send().await.map_err(|error| error.into_service_error());
        if let Err(error) = updated {
            assert!(error.is_conditional_check_failed_exception(), "{error:?}");
        }
    }

    /// Changes when an item was stored.
    async fn age(&self, id: &str, age: Duration) {
        let update = self.update(id).update_expression("SET placed_at = :at");
        let at = number((Timestamp::now() - age).as_millisecond());
        update.expression_attribute_values(":at", at).send().await.unwrap();
    }

    /// Stores the first report, as a service does.
    async fn report(&self, id: &str) {
        let remove = format!("REMOVE {}", crate::REMOVE);
        self.update(id).update_expression(remove).send().await.unwrap();
    }

    fn update(
        &self,
        id: &str,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        let update = self.dynamodb.update_item().table_name(&self.table);
        update.key("id", AttributeValue::S(id.to_owned()))
    }

    async fn item(&self, id: &str) -> Option<Item> {
        let get = self.dynamodb.get_item().table_name(&self.table);
        let get = get.key("id", AttributeValue::S(id.to_owned()));
        get.consistent_read(true).send().await.unwrap().item
    }

    /// An attribute of an item as text; `None` if the item does not have it.
    async fn attribute(&self, id: &str, name: &str) -> Option<String> {
        parsed(&self.item(id).await?, name).ok()
    }

    /// In how many seconds the sweep looks at an item again.
    async fn due_in(&self, id: &str) -> f64 {
        let due = self.attribute(id, "outbox_due").await.context("it left the outbox").unwrap();
        (due.parse::<f64>().unwrap() - Timestamp::now().as_millisecond() as f64) / 1_000.0
    }
}

/// What this thread logs.
struct Log {
    lines: PipeReader,
    guard: DefaultGuard,
}

impl Log {
    fn start() -> Self {
        // Without one for all threads, what another test logs first is off for this one too.
        let _ = set_global_default(tracing_subscriber::registry());
        let (lines, writer) = io::pipe().unwrap();
        let subscriber = tracing_subscriber::fmt().with_ansi(false);
        let subscriber = subscriber.with_writer(Mutex::new(writer)).finish();
        Self { lines, guard: set_default(subscriber) }
    }

    /// The lines so far; no more are read.
    fn lines(self) -> Vec<String> {
        drop(self.guard);
        BufReader::new(self.lines).lines().collect::<Result<_, _>>().unwrap()
    }
}

/// Waits until announcements in progress are settled.
async fn settled(outbox: &Outbox<Announcements>) {
    outbox.state.announcing.close();
    outbox.state.announcing.wait().await;
    outbox.state.announcing.reopen();
}

/// Runs an outbox that only sweeps, until it is aborted.
fn run(outbox: Outbox<Announcements>) -> tokio::task::JoinHandle<()> {
    let (_fresh, waiting) = mpsc::channel(1);
    tokio::spawn(outbox.run(waiting, CancellationToken::new(), CancellationToken::new()))
}
