//! No order is lost: a publisher dies at each of its AWS calls, and another one goes on.

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

/// The call at which a process dies, counted from 1.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// The call is not made.
    Before(usize),
    /// The call has its effect, and nobody learns of it.
    After(usize),
}

/// The HTTP client of a process that dies: from then on no call is made, and none is answered.
#[derive(Clone, Debug)]
struct Mortal {
    http: SharedHttpClient,
    death: Death,
    calls: Arc<AtomicUsize>,
    dead: CancellationToken,
}

impl Mortal {
    fn new(aws: &SdkConfig, death: Death) -> Self {
        Self {
            http: aws.http_client().unwrap(),
            death,
            calls: Arc::default(),
            dead: CancellationToken::new(),
        }
    }

    /// Runs what a process does until it ends or dies; true if it died.
    async fn live(&self, process: impl Future<Output = ()>) -> bool {
        self.dead.run_until_cancelled(process).await.is_none()
    }
}

impl HttpClient for Mortal {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(MortalConnector {
            mortal: self.clone(),
            http: self.http.http_connector(settings, components),
        })
    }
}

#[derive(Debug)]
struct MortalConnector {
    mortal: Mortal,
    http: SharedHttpConnector,
}

impl HttpConnector for MortalConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (mortal, http) = (self.mortal.clone(), self.http.clone());
        HttpConnectorFuture::new(async move {
            let call = mortal.calls.fetch_add(1, Ordering::SeqCst) + 1;
            if matches!(mortal.death, Death::Before(last) if call >= last) {
                mortal.dead.cancel();
            }
            let answer = mortal.dead.run_until_cancelled(http.call(request)).await;
            if matches!(mortal.death, Death::After(last) if call >= last) {
                mortal.dead.cancel();
            }
            match answer {
                Some(answer) if !mortal.dead.is_cancelled() => answer,
                _ => std::future::pending().await,
            }
        })
    }
}

/// What a publisher does that may be its last.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Store an order and announce it at once: `PutItem`, `PublishBatch`, `UpdateItem`.
    Fresh,
    /// Announce an order that is overdue: a `Query` for each shard, the claim, `PublishBatch`,
    /// `UpdateItem`.
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
async fn whenever_a_publisher_is_killed_what_it_stored_is_announced_after_a_restart() {
    let mut cases = JoinSet::new();
    for work in [Work::Fresh, Work::Overdue] {
        for call in 1..=work.calls() {
            cases.spawn(check_death(work, Death::Before(call)));
            cases.spawn(check_death(work, Death::After(call)));
        }
        cases.spawn(async move {
            let beyond = Death::Before(work.calls() + 1);
            assert!(!dies(&TestAccount::start().await, &order(), work, beyond).await);
        });
    }
    cases.join_all().await;
}

async fn check_death(work: Work, death: Death) {
    let (account, order) = (TestAccount::start().await, order());
    if matches!(work, Work::Overdue) {
        store_overdue(&account, &order).await;
    }
    assert!(dies(&account, &order, work, death).await, "{work:?} {death:?}");
    let stored = account.item(order.id).await.is_some();
    let expected = !matches!((work, death), (Work::Fresh, Death::Before(1)));
    assert_eq!(stored, expected, "{work:?} {death:?}");

    account.let_time_pass(order.id).await;
    let outbox = account.outbox(&account.aws);
    let (_fresh, waiting) = mpsc::channel(1);
    let restarted =
        tokio::spawn(outbox.run(waiting, CancellationToken::new(), CancellationToken::new()));
    while waits(&account, order.id).await {
        sleep(std::time::Duration::from_millis(50)).await;
    }
    restarted.abort();
    let announced = account.announced().await;
    assert_eq!(stored, announced.contains(&order.id), "{work:?} {death:?}");
}

/// Whether a publisher that works until `death` died of it.
async fn dies(account: &TestAccount, order: &Order, work: Work, death: Death) -> bool {
    let mortal = Mortal::new(&account.aws, death);
    let aws = account.aws.clone().into_builder();
    let aws = aws.http_client(mortal.clone()).build();
    let (orders, outbox) = (account.orders(&aws), account.outbox(&aws));
    mortal
        .live(async {
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
async fn an_item_that_cannot_be_read_holds_up_no_other() {
    let account = TestAccount::start().await;
    let spoilt = order();
    let shard = spoilt.id.shard(SHARDS);
    let good = std::iter::repeat_with(order).find(|it| it.id.shard(SHARDS) == shard);
    let good = good.unwrap();
    for order in [&spoilt, &good] {
        store_overdue(&account, order).await;
    }
    account.spoil(spoilt.id).await;
    let outbox = account.outbox(&account.aws);
    sweep(&outbox).await;
    outbox.announcing.close();
    outbox.announcing.wait().await;
    assert_eq!(account.announced().await, [good.id]);
    assert!(waits(&account, spoilt.id).await, "it is still to be mended and announced");
}

#[tokio::test]
async fn an_order_that_waited_until_it_was_overdue_is_left_to_the_sweep() {
    let (account, order) = (TestAccount::start().await, order());
    let stored = account.orders(&account.aws).store(&order).await.unwrap();
    let Stored::New(mut placed) = stored else { panic!("{stored:?}") };
    placed.placed_at = Timestamp::UNIX_EPOCH;
    let outbox = account.outbox(&account.aws);
    outbox.spawn_fresh(placed).await;
    outbox.announcing.close();
    outbox.announcing.wait().await;
    assert_eq!(account.announced().await, []);
    assert!(waits(&account, order.id).await);
}

#[tokio::test]
async fn a_sweep_says_whether_there_is_more() {
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
    assert!(outbox.sweep(shard).await.unwrap());
    outbox.announcing.close();
    outbox.announcing.wait().await;
    assert!(!outbox.sweep(shard).await.unwrap());
}

async fn sweep(outbox: &Outbox) {
    for shard in 0..SHARDS {
        outbox.sweep(shard).await.unwrap();
    }
}

async fn store_overdue(account: &TestAccount, order: &Order) {
    account.orders(&account.aws).store(order).await.unwrap();
    account.let_time_pass(order.id).await;
}

/// Whether the order is still to be announced.
async fn waits(account: &TestAccount, id: OrderId) -> bool {
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
