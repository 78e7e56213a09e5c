//! The process that stored an item has it first, and keeps it for as long as it takes.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Announcements, Entry, Outcome, SHARD, TestAccount,
    crashes::{Crash, CrashingHttpClient},
    settled,
};
use crate::{FIRST_LEASE, Outbox, held::Hold, lease, table::Part};

#[tokio::test]
async fn announcing_costs_no_write_if_the_first_report_comes_in_time() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    let outbox = account.outbox(&announcements);
    let entry = account.store("one").await;
    let stored = account.item("one").await;
    outbox.announce_fresh(entry).await;
    settled(&outbox).await;
    assert_eq!(announcements.announced(), ["one"]);
    assert_eq!(account.item("one").await, stored);

    account.report("one").await;
    outbox.reported("one", Timestamp::now());
    outbox.sweep_waiting(SHARD).await.unwrap();
    assert_eq!(announcements.announced(), ["one"]);
    assert_eq!(account.attribute("one", "announced_at").await, None);
    assert_eq!(outbox.state.held.get("one"), None);
}

#[tokio::test]
async fn an_announcement_is_noted_if_no_report_comes_in_time() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    let outbox = account.outbox(&announcements);
    let entry = account.store("one").await;
    outbox.announce_fresh(entry).await;
    settled(&outbox).await;
    account.make_due("one", Timestamp::now().as_millisecond() + 1_000).await;
    outbox.sweep_waiting(SHARD).await.unwrap();

    assert!(account.attribute("one", "announced_at").await.is_some());
    assert_eq!(account.attribute("one", "version").await.as_deref(), Some("2"));
    assert_eq!(announcements.noted(), ["one"], "its viewers see that it was announced");
    let due = account.due_in("one").await;
    assert!((110.0..=160.0).contains(&due), "looked at again in {due} s");
    outbox.sweep_waiting(SHARD).await.unwrap();
    assert_eq!(announcements.announced(), ["one"], "announced once");
}

/// Stores an item that is 2 s old if it is `late`, and announces it.
async fn announce(account: &TestAccount, outbox: &Outbox<Announcements>, id: &str, late: bool) {
    let Entry { id, stored_at } = account.store(id).await;
    let age = Duration::from_secs(if late { 2 } else { 0 });
    outbox.announce_fresh(Entry { id, stored_at: stored_at - age }).await;
    settled(outbox).await;
}

#[tokio::test]
async fn items_get_a_longer_lease_while_reports_are_late() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    let outbox = account.outbox(&announcements);
    assert_eq!(outbox.keep_pace().await, FIRST_LEASE);
    announce(&account, &outbox, "late", true).await;
    outbox.reported("late", Timestamp::now());
    assert_eq!(outbox.keep_pace().await, 4 * FIRST_LEASE);

    announce(&account, &outbox, "in time", false).await;
    assert_eq!(outbox.keep_pace().await, 4 * FIRST_LEASE, "not reported yet");
    outbox.reported("in time", Timestamp::now());
    assert_eq!(outbox.keep_pace().await, FIRST_LEASE);

    announce(&account, &outbox, "not reported", true).await;
    account.make_due("not reported", Timestamp::now().as_millisecond() + 1_000).await;
    outbox.sweep_waiting(SHARD).await.unwrap();
    assert_eq!(announcements.noted(), ["not reported"]);
    assert_eq!(outbox.keep_pace().await, 4 * FIRST_LEASE);
    outbox.reported("late", Timestamp::now());
    assert_eq!(outbox.keep_pace().await, 4 * FIRST_LEASE, "a second report of the same item");
}

#[tokio::test]
async fn an_item_that_is_being_announced_is_not_announced_by_another_process() {
    let account = TestAccount::start().await;
    let silent = Announcements::scripted([Outcome::Silence]);
    let outbox = account.outbox(&silent);
    let entry = account.store("one").await;
    outbox.announce_fresh(entry).await;
    while outbox.state.held.get("one") != Some(Hold::InHand) {
        tokio::task::yield_now().await;
    }
    account.make_due("one", Timestamp::now().as_millisecond() + 1_000).await;
    outbox.sweep_waiting(SHARD).await.unwrap();
    let due = account.due_in("one").await;
    assert!((10.0..=25.0).contains(&due), "renewed for {due} s");

    // Nor shortly before the lease is over.
    let other = Announcements::default();
    for seconds in [20, 2] {
        account.make_due("one", Timestamp::now().as_millisecond() + seconds * 1_000).await;
        let sweeping = account.outbox(&other);
        sweeping.sweep_waiting(SHARD).await.unwrap();
        settled(&sweeping).await;
        assert_eq!(other.announced(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_item_whose_lease_is_over_is_left_to_the_sweep() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    let outbox = account.outbox(&announcements);
    let Entry { id, .. } = account.store("one").await;
    outbox.announce_fresh(Entry { id, stored_at: Timestamp::UNIX_EPOCH }).await;
    settled(&outbox).await;
    assert_eq!(announcements.announced(), Vec::<String>::new());
}

#[tokio::test]
async fn a_process_that_lost_a_lease_while_it_was_stopped_does_not_announce() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    let outbox = account.outbox(&announcements);
    let entry = account.store("one").await;
    let item = outbox.state.held.take("one", entry.stored_at, Duration::ZERO, true);
    let announced = outbox.announce_until_settled(&item, &entry).await.unwrap();
    assert_eq!(announced, None);
    assert_eq!(announcements.announced(), Vec::<String>::new());
}

#[tokio::test]
async fn a_claim_holds_although_the_answer_of_dynamodb_was_lost() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    account.store_overdue("one").await;
    let outbox = account.outbox(&announcements);
    let due = outbox.table.due(SHARD, Part::Waiting, Timestamp::now()).await.unwrap();
    let losing = CrashingHttpClient::new(&account.aws, Crash::NotAfter(1));
    let losing = account.outbox_of(&losing.config(&account.aws), &announcements, true);
    assert!(losing.table.claim(&due[0], lease()).await.unwrap(), "the claim was made");
    assert!(!outbox.table.claim(&due[0], lease()).await.unwrap(), "by one process only");
}

#[tokio::test]
async fn without_reports_an_announced_item_leaves_the_outbox_at_once() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    let outbox = account.outbox_of(&account.aws, &announcements, false);
    let entry = account.store("one").await;
    outbox.announce_fresh(entry).await;
    settled(&outbox).await;
    assert_eq!(account.attribute("one", "outbox").await, None);
    assert!(account.attribute("one", "announced_at").await.is_some());
    assert_eq!(announcements.noted(), ["one"]);
    assert!(outbox.table.due(SHARD, Part::Announced, Timestamp::MAX).await.unwrap().is_empty());
}
