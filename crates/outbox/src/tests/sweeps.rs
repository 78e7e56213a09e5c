//! Sweeps share the work, and do not get in each other's way.

use tokio::task::JoinSet;

use super::{
    Announcements, SHARD, TestAccount,
    crashes::{Crash, CrashingHttpClient},
    settled,
};
use crate::{
    Outbox,
    table::{PAGE, Part},
};

async fn store_overdue(account: &TestAccount, count: usize) -> Vec<String> {
    let ids: Vec<String> = (0..count).map(|id| format!("{id:03}")).collect();
    for id in &ids {
        account.store_overdue(id).await;
    }
    ids
}

#[tokio::test]
async fn three_processes_announce_each_overdue_item_once() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    let ids = store_overdue(&account, 300).await;
    let counting = CrashingHttpClient::new(&account.aws, Crash::Never);
    let aws = counting.config(&account.aws);
    let three: [Outbox<_>; 3] =
        std::array::from_fn(|_| account.outbox_of(&aws, &announcements, true));
    let mut sweeps = JoinSet::new();
    for outbox in three {
        sweeps.spawn(async move {
            outbox.sweep_all(Part::Waiting).await;
            settled(&outbox).await;
        });
    }
    sweeps.join_all().await;
    // A sweep leaves the rest of a page to the others.
    let last = account.outbox_of(&aws, &announcements, true);
    last.sweep_all(Part::Waiting).await;
    settled(&last).await;
    let mut announced = announcements.announced();
    announced.sort();
    assert_eq!(announced, ids);
    // A claim and a note for each, and a few queries: few claims are lost to another process.
    let others = counting.calls() - 2 * ids.len();
    assert!(others <= 90, "{others} other calls");
}

#[tokio::test]
async fn a_sweep_says_whether_a_shard_has_more() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    let ids = store_overdue(&account, PAGE + 1).await;
    let outbox = account.outbox(&announcements);
    assert!(outbox.sweep_waiting(SHARD).await.unwrap(), "a full page may not be the last");
    settled(&outbox).await;
    assert!(!outbox.sweep_waiting(SHARD).await.unwrap());
    settled(&outbox).await;
    let mut announced = announcements.announced();
    announced.sort();
    assert_eq!(announced, ids);
}

#[tokio::test]
async fn an_item_that_cannot_be_read_is_set_aside_and_does_not_hold_up_others() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    let ids = store_overdue(&account, 2).await;
    let remove = account.update(&ids[0]).update_expression("REMOVE placed_at");
    remove.send().await.unwrap();
    let outbox = account.outbox(&announcements);
    outbox.sweep_waiting(SHARD).await.unwrap();
    settled(&outbox).await;
    assert_eq!(announcements.announced(), [ids[1].clone()]);
    let reason = account.attribute(&ids[0], "refused").await;
    assert_eq!(reason.as_deref(), Some("placed_at of the stored item cannot be read"));
}
