//! An item that was announced and not reported is announced again, and never in storms.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Announcements, Log, SHARD, TestAccount, settled};
use crate::table::{PAGE, Part};

/// Announces overdue items, which nobody reports.
async fn announced(account: &TestAccount, ids: &[&str]) {
    let announcements = Announcements::default();
    let outbox = account.outbox(&announcements);
    for id in ids {
        account.store_overdue(id).await;
    }
    outbox.sweep_all(Part::Waiting).await;
    settled(&outbox).await;
    for (order, id) in ids.iter().enumerate() {
        assert!(account.attribute(id, "announced_at").await.is_some());
        account.make_due(id, 1 + i64::try_from(order).unwrap()).await;
    }
}

#[tokio::test]
async fn lost_items_are_announced_again_once_later_ones_are_reported() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    let log = Log::start();
    announced(&account, &["one", "two", "three"]).await;
    let outbox = account.outbox(&announcements);
    outbox.reported("later", Timestamp::now() + SignedDuration::from_secs(61));
    outbox.sweep_announced(SHARD).await.unwrap();
    settled(&outbox).await;
    let mut again = announcements.announced();
    again.sort();
    assert_eq!(again, ["one", "three", "two"]);
    let lines = log.lines();
    let told: Vec<_> = lines.iter().filter(|line| line.contains("announced again")).collect();
    let is_second = told.iter().all(|line| line.contains("announcements=2"));
    assert!(told.len() == 3 && is_second, "{lines:#?}");
    assert_eq!(account.attribute("one", "announcements").await.as_deref(), Some("2"));
    let due = account.due_in("one").await;
    assert!((230.0..=310.0).contains(&due), "the next time in {due} s");

    outbox.sweep_announced(SHARD).await.unwrap();
    settled(&outbox).await;
    assert_eq!(announcements.announced().len(), 3, "not due yet");
}

#[tokio::test]
async fn as_many_as_are_lost_are_announced_again() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    let ids: Vec<String> = (0..PAGE + 1).map(|id| format!("{id:03}")).collect();
    announced(&account, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let outbox = account.outbox(&announcements);
    outbox.reported("later", Timestamp::now() + SignedDuration::from_secs(61));
    outbox.sweep_all(Part::Announced).await;
    settled(&outbox).await;
    assert_eq!(announcements.announced().len(), ids.len());
}

#[tokio::test]
async fn if_nothing_is_reported_one_item_is_announced_again_as_a_probe() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    // A full page of the index, so that there may be more.
    let ids: Vec<String> = (100..100 + PAGE).map(|id| id.to_string()).collect();
    announced(&account, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let outbox = account.outbox(&announcements);
    // A report of something earlier says nothing about these.
    outbox.reported("earlier", Timestamp::now());
    for _ in 0..3 {
        outbox.sweep_all(Part::Announced).await;
        settled(&outbox).await;
    }
    assert_eq!(announcements.announced(), ["100", "101", "102"]);
}

#[tokio::test]
async fn the_pause_before_the_next_announcement_grows_to_an_hour() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    announced(&account, &["one"]).await;
    let outbox = account.outbox(&announcements);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        outbox.sweep_announced(SHARD).await.unwrap();
        settled(&outbox).await;
        pauses.push(account.due_in("one").await);
        account.make_due("one", 1).await;
    }
    let minutes = [4, 8, 16, 32, 60, 60, 60, 60].map(|minutes| f64::from(minutes) * 60.0);
    for (pause, least) in pauses.iter().zip(minutes) {
        assert!((least - 10.0..=least * 1.25).contains(pause), "{pauses:?}");
    }
}

#[tokio::test]
async fn a_report_ends_it() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    announced(&account, &["one"]).await;
    account.report("one").await;
    let outbox = account.outbox(&announcements);
    outbox.reported("later", Timestamp::now() + SignedDuration::from_secs(61));
    outbox.sweep_announced(SHARD).await.unwrap();
    settled(&outbox).await;
    assert_eq!(announcements.announced(), Vec::<String>::new());
}

#[tokio::test]
async fn a_process_that_crashes_while_it_announces_again_loses_nothing() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    announced(&account, &["one"]).await;
    let due = account.outbox(&announcements).table;
    let found = due.due(SHARD, crate::table::Part::Announced, Timestamp::now()).await.unwrap();
    assert!(due.claim(&found[0], crate::lease()).await.unwrap());
    // It crashes here; the lease expires.
    account.make_due("one", 0).await;
    let outbox = account.outbox(&announcements);
    outbox.sweep_waiting(SHARD).await.unwrap();
    settled(&outbox).await;
    assert_eq!(announcements.announced(), ["one"]);
}

#[tokio::test]
async fn the_age_of_what_nobody_reports_is_shown_until_the_next_look_at_it() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    announced(&account, &["one"]).await;
    let outbox = account.outbox(&announcements);
    assert_eq!(outbox.state.oldest_age(), Duration::ZERO);
    outbox.sweep_all(Part::Announced).await;
    settled(&outbox).await;
    // The sweeps for what is not announced come more often, and find nothing.
    outbox.sweep_all(Part::Waiting).await;
    assert!(outbox.state.oldest_age() > Duration::ZERO);
    outbox.sweep_all(Part::Announced).await;
    assert_eq!(outbox.state.oldest_age(), Duration::ZERO, "it is not due");
}

#[tokio::test]
async fn the_age_is_that_of_the_oldest_wherever_a_sweep_finds_it() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    announced(&account, &["young", "old"]).await;
    account.age("old", Duration::from_secs(3_600)).await;
    let outbox = account.outbox(&announcements);
    // As if they were in two shards.
    for id in ["young", "old"] {
        account.make_due("young", i64::from(id != "young") * i64::MAX).await;
        account.make_due("old", i64::from(id != "old") * i64::MAX).await;
        outbox.sweep_announced(SHARD).await.unwrap();
        settled(&outbox).await;
    }
    assert_eq!(announcements.announced(), ["young", "old"]);
    assert!(outbox.state.oldest_age() >= Duration::from_secs(3_600));
}
