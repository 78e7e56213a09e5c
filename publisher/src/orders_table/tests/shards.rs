//! Publishers with different numbers of shards run at the same time, and nothing is lost.

use std::{collections::BTreeSet, time::Duration};

use outbox::FIRST_LEASE;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::order;
use crate::{orders_table::OrdersTable, routes::App, test_account::TestAccount};

const PATIENCE: Duration = Duration::from_secs(60);

/// Stores an order in each shard, and crashes before one is announced. Returns their ids.
async fn crash(account: &TestAccount, orders: &OrdersTable) -> BTreeSet<String> {
    let mut stored = BTreeSet::new();
    for shard in 0..orders.shards().own() {
        let order = std::iter::repeat_with(order).find(|it| orders.shard(it.id) == shard).unwrap();
        orders.store(&order, FIRST_LEASE).await.unwrap();
        account.make_overdue(order.id).await;
        stored.insert(order.id.to_string());
    }
    stored
}

async fn listed(orders: &OrdersTable) -> BTreeSet<String> {
    let page = orders.latest(None, 100).await.unwrap();
    page.orders.iter().map(|placed| placed.order.id.to_string()).collect()
}

/// The orders that were announced, once all of `expected` are.
async fn announced(account: &TestAccount, expected: &BTreeSet<String>) -> BTreeSet<String> {
    let mut announced = BTreeSet::new();
    while !announced.is_superset(expected) {
        for body in account.received().await {
            let ids = expected.iter().filter(|id| body.contains(id.as_str()));
            announced.extend(ids.cloned());
        }
        sleep(Duration::from_millis(20)).await;
    }
    announced
}

#[tokio::test]
async fn what_a_crashed_publisher_stored_is_listed_and_announced_by_one_with_other_shards() {
    for (crashed, other) in [(8, 4), (4, 8), (4, 1), (1, 4), (16, 8)] {
        let account = TestAccount::start().await;
        let (listing, announcing) = (account.orders_in(other), account.orders_in(other));
        let stored = crash(&account, &account.orders_in(crashed)).await;
        assert_eq!(listed(&listing).await, stored);

        let (app, _) = account.app(&account.aws);
        let outbox = account.outbox(&App { orders: announcing, ..app });
        let (_fresh, waiting) = mpsc::channel(1);
        let never = CancellationToken::new();
        let running = tokio::spawn(outbox.run(waiting, never.clone(), never));
        let announced = timeout(PATIENCE, announced(&account, &stored)).await;
        running.abort();
        assert_eq!(announced.expect("an order is not announced"), stored);
    }
}

/// After the number was lowered, and its processes have long gone.
#[tokio::test]
async fn old_orders_stay_in_the_list_when_the_number_is_lowered() {
    let account = TestAccount::start().await;
    let mut all = crash(&account, &account.orders_in(16)).await;
    for shards in [8, 2] {
        all.extend(crash(&account, &account.orders_in(shards)).await);
        assert_eq!(listed(&account.orders_in(shards)).await, all);
    }
}

#[tokio::test]
async fn the_number_of_shards_is_noted_and_never_lowered() {
    let account = TestAccount::start().await;
    let most = |expected: Option<&'static str>| {
        let account = &account;
        async move {
            let items = account.items().await;
            let note = items.iter().find(|item| item.contains_key("most_shards"));
            let most = note.map(|item| item["most_shards"].as_n().unwrap().as_str());
            assert_eq!(most, expected);
        }
    };
    for (shards, expected) in [(4, None), (8, Some("8")), (4, Some("8")), (16, Some("16"))] {
        let orders = account.orders_in(shards);
        for _ in 0..2 {
            orders.store(&order(), FIRST_LEASE).await.unwrap();
        }
        most(expected).await;
    }
    account.orders_in(9).store(&order(), FIRST_LEASE).await.unwrap();
    most(Some("16")).await;
}
