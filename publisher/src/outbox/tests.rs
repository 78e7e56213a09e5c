//! No order is lost when a publisher crashes before or after any of its AWS calls.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use jiff::Timestamp;
use orders::order::{Order, OrderId};
use tokio::{sync::mpsc, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{Outbox, SHARDS, SWEEP_LIMIT};
use crate::{orders_table::Stored, test_account::TestAccount};

/// When a process crashes. Calls are counted from 1.
#[derive(Clone, Copy, Debug)]
enum Crash {
    /// The call is not sent.
    Before(usize),
    /// The call takes effect, but its response is lost.
    After(usize),
}

/// The HTTP client of a process that crashes: after that, it sends no call and returns no response.
#[derive(Clone, Debug)]
struct CrashingHttpClient {
    http: SharedHttpClient,
    crash: Crash,
    calls: Arc<AtomicUsize>,
    crashed: CancellationToken,
}

impl CrashingHttpClient {
    fn new(aws: &SdkConfig, crash: Crash) -> Self {
        Self {
            http: aws.http_client().unwrap(),
            crash,
            calls: Arc::default(),
            crashed: CancellationToken::new(),
        }
    }

    /// Runs a process until it ends or crashes. Returns true if it crashed.
    async fn crashes(&self, process: impl Future<Output = ()>) -> bool {
        self.crashed.run_until_cancelled(process).await.is_none()
    }
}

impl HttpClient for CrashingHttpClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(CrashingConnector {
            client: self.clone(),
            http: self.http.http_connector(settings, components),
        })
    }
}

#[derive(Debug)]
struct CrashingConnector {
    client: CrashingHttpClient,
    http: SharedHttpConnector,
}

impl HttpConnector for CrashingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, http) = (self.client.clone(), self.http.clone());
        HttpConnectorFuture::new(async move {
            let call = client.calls.fetch_add(1, Ordering::SeqCst) + 1;
            if matches!(client.crash, Crash::Before(last) if call >= last) {
                client.crashed.cancel();
            }
            let answer = client.crashed.run_until_cancelled(http.call(request)).await;
            if matches!(client.crash, Crash::After(last) if call >= last) {
                client.crashed.cancel();
            }
            match answer {
                Some(answer) if !client.crashed.is_cancelled() => answer,
                _ => std::future::pending().await,
            }
        })
    }
}

/// What a publisher does when it crashes.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Stores an order and announces it: `PutItem`, `PublishBatch`, `UpdateItem`.
    Fresh,
    /// Announces an overdue order: a `Query` for each shard, `UpdateItem` for the claim,
    /// `PublishBatch`, `UpdateItem`.
    Overdue,
}

impl Work {
    fn calls(self) -> usize {
        let queries = usize::try_from(SHARDS).unwrap();
        match self {
            Self::Fresh => 3,
            Self::Overdue => queries + 3,
        }
    }
}

#[tokio::test]
async fn stored_orders_are_announced_after_a_crash_at_any_call() {
    let mut cases = JoinSet::new();
    for work in [Work::Fresh, Work::Overdue] {
        for call in 1..=work.calls() {
            cases.spawn(check_crash(work, Crash::Before(call)));
            cases.spawn(check_crash(work, Crash::After(call)));
        }
        cases.spawn(async move {
            let beyond = Crash::Before(work.calls() + 1);
            assert!(!crashes(&TestAccount::start().await, &order(), work, beyond).await);
        });
    }
    cases.join_all().await;
}

async fn check_crash(work: Work, crash: Crash) {
    let (account, order) = (TestAccount::start().await, order());
    if matches!(work, Work::Overdue) {
        store_overdue(&account, &order).await;
    }
    assert!(crashes(&account, &order, work, crash).await, "{work:?} {crash:?}");
    let stored = account.item(order.id).await.is_some();
    let expected = !matches!((work, crash), (Work::Fresh, Crash::Before(1)));
    assert_eq!(stored, expected, "{work:?} {crash:?}");

    account.make_overdue(order.id).await;
    let outbox = account.outbox(&account.aws);
    let (_fresh, waiting) = mpsc::channel(1);
    let restarted =
        tokio::spawn(outbox.run(waiting, CancellationToken::new(), CancellationToken::new()));
    while is_in_outbox(&account, order.id).await {
        sleep(std::time::Duration::from_millis(50)).await;
    }
    restarted.abort();
    let announced = account.announced().await;
    assert_eq!(stored, announced.contains(&order.id), "{work:?} {crash:?}");
}

/// Whether a publisher reached the call at which it should crash.
async fn crashes(account: &TestAccount, order: &Order, work: Work, crash: Crash) -> bool {
    let client = CrashingHttpClient::new(&account.aws, crash);
    let aws = account.aws.clone().into_builder();
    let aws = aws.http_client(client.clone()).build();
    let (orders, outbox) = (account.orders(&aws), account.outbox(&aws));
    client
        .crashes(async {
            match work {
                Work::Fresh => {
                    let stored = orders.store(order).await.unwrap();
                    let Stored::New(placed) = stored else { panic!("{stored:?}") };
                    outbox.spawn_fresh(placed).await;
                }
                Work::Overdue => sweep(&outbox).await,
            }
            outbox.announcing.close();
            outbox.announcing.wait().await;
        })
        .await
}

#[tokio::test]
async fn three_publishers_announce_each_overdue_order_once() {
    const ORDERS: usize = 300;
    let account = Arc::new(TestAccount::start().await);
    let mut ids = Vec::new();
    let mut storing = JoinSet::new();
    for _ in 0..ORDERS {
        let (account, order) = (Arc::clone(&account), order());
        ids.push(order.id);
        storing.spawn(async move { store_overdue(&account, &order).await });
    }
    storing.join_all().await;

    let outbox = || account.outbox(&account.aws);
    let three = [outbox(), outbox(), outbox()];
    tokio::join!(sweep(&three[0]), sweep(&three[1]), sweep(&three[2]));
    for outbox in three {
        outbox.announcing.close();
        outbox.announcing.wait().await;
    }
    let mut announced = account.announced().await;
    announced.sort();
    ids.sort();
    assert_eq!(announced, ids);
}

#[tokio::test]
async fn an_unreadable_item_does_not_delay_others() {
    let account = TestAccount::start().await;
    let unreadable = order();
    let shard = unreadable.id.shard(SHARDS);
    let good = std::iter::repeat_with(order).find(|it| it.id.shard(SHARDS) == shard);
    let good = good.unwrap();
    for order in [&unreadable, &good] {
        store_overdue(&account, order).await;
    }
    account.corrupt(unreadable.id).await;
    let outbox = account.outbox(&account.aws);
    sweep(&outbox).await;
    outbox.announcing.close();
    outbox.announcing.wait().await;
    assert_eq!(account.announced().await, [good.id]);
    assert!(is_in_outbox(&account, unreadable.id).await, "an unreadable order stays in the outbox");
}

#[tokio::test]
async fn an_order_that_is_overdue_before_it_is_announced_is_left_to_the_sweep() {
    let (account, order) = (TestAccount::start().await, order());
    let stored = account.orders(&account.aws).store(&order).await.unwrap();
    let Stored::New(mut placed) = stored else { panic!("{stored:?}") };
    placed.placed_at = Timestamp::UNIX_EPOCH;
    let outbox = account.outbox(&account.aws);
    outbox.spawn_fresh(placed).await;
    outbox.announcing.close();
    outbox.announcing.wait().await;
    assert_eq!(account.announced().await, []);
    assert!(is_in_outbox(&account, order.id).await);
}

#[tokio::test]
async fn a_sweep_says_whether_a_shard_has_more() {
    let account = Arc::new(TestAccount::start().await);
    let shard = 0;
    let same_shard = std::iter::repeat_with(order).filter(|it| it.id.shard(SHARDS) == shard);
    let mut storing = JoinSet::new();
    for order in same_shard.take(SWEEP_LIMIT) {
        let account = Arc::clone(&account);
        storing.spawn(async move { store_overdue(&account, &order).await });
    }
    storing.join_all().await;
    let outbox = account.outbox(&account.aws);
    assert!(outbox.sweep_all().await, "a full page of overdue orders may not be the last");
    outbox.announcing.close();
    outbox.announcing.wait().await;
    assert!(!outbox.sweep_all().await, "every order was announced");
}

async fn sweep(outbox: &Outbox) {
    for shard in 0..SHARDS {
        outbox.sweep(shard).await.unwrap();
    }
}

async fn store_overdue(account: &TestAccount, order: &Order) {
    account.orders(&account.aws).store(order).await.unwrap();
    account.make_overdue(order.id).await;
}

/// Whether the order is not announced yet.
async fn is_in_outbox(account: &TestAccount, id: OrderId) -> bool {
    let item = account.item(id).await;
    item.is_some_and(|item| item.contains_key("outbox"))
}

fn order() -> Order {
    Order {
        id: OrderId::new(),
        customer: "Ada Lovelace".parse().unwrap(),
        amount: "120".parse().unwrap(),
    }
}
