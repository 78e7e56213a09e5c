//! An item that was announced and not reported is announced again, and never in storms.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Announcements, SHARD, TestAccount, settled};
use crate::table::Part;

/// Announces overdue items, which nobody reports.
async fn announced(account: &TestAccount, ids: &[&str]) {
    let announcements = Announcements::default();
    let outbox = account.outbox(&announcements);
    for id in ids {
        account.store_overdue(id).await;
    }
    outbox.sweep_waiting(SHARD).await.unwrap();
    settled(&outbox).await;
    for (order, id) in ids.iter().enumerate() {
        assert!(account.attribute(id, "announced_at").await.is_some());
        account.make_due(id, 1 + i64::try_from(order).unwrap()).await;
    }
}

#[tokio::test]
async fn lost_items_are_announced_again_once_later_ones_are_reported() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    announced(&account, &["one", "two", "three"]).await;
    let outbox = account.outbox(&announcements);
    outbox.reported("later", Timestamp::now() + SignedDuration::from_secs(61));
    outbox.sweep_announced(SHARD).await.unwrap();
    settled(&outbox).await;
    let mut again = announcements.announced();
    again.sort();
    assert_eq!(again, ["one", "three", "two"]);
    assert_eq!(account.attribute("one", "announcements").await.as_deref(), Some("2"));
    let due = account.due_in("one").await;
    assert!((230.0..=310.0).contains(&due), "the next time in {due} s");

    outbox.sweep_announced(SHARD).await.unwrap();
    settled(&outbox).await;
    assert_eq!(announcements.announced().len(), 3, "not due yet");
}

#[tokio::test]
async fn if_nothing_is_reported_one_item_is_announced_again_as_a_probe() {
    let (account, announcements) = (TestAccount::start().await, Announcements::default());
    let ids: Vec<String> = (10..40).map(|id| id.to_string()).collect();
    announced(&account, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let outbox = account.outbox(&announcements);
    // A report of something earlier says nothing about these.
    outbox.reported("earlier", Timestamp::now());
    for _ in 0..3 {
        outbox.sweep_announced(SHARD).await.unwrap();
        settled(&outbox).await;
    }
    assert_eq!(announcements.announced(), ["10", "11", "12"]);
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
