//! The topic is unavailable, or refuses an item.

use std::time::Duration;

use tokio::time::{Instant, pause, sleep, timeout};

use super::{Announcements, Log, Outcome, PATIENCE, SHARD, TestAccount, settled};
use crate::{MAX_ANNOUNCING, table::Part, waiting::waiting};

#[tokio::test]
async fn an_item_is_retried_in_process_while_the_topic_is_unavailable() {
    let account = TestAccount::start().await;
    let announcements = Announcements::scripted([Outcome::Unavailable, Outcome::Unavailable]);
    let outbox = account.outbox(&announcements);
    let entry = account.store("one").await;
    outbox.announce_fresh(entry).await;
    settled(&outbox).await;
    assert_eq!(announcements.announced(), ["one"]);
    assert_eq!(account.attribute("one", "refused").await, None, "it was not at fault");
}

#[tokio::test]
async fn in_an_outage_few_items_are_retried_and_the_others_wait_in_the_index() {
    let account = TestAccount::start().await;
    let held = usize::try_from(MAX_ANNOUNCING).unwrap();
    let announcements = Announcements::scripted((0..10 * held).map(|_| Outcome::Silence));
    let outbox = account.outbox(&announcements);
    for id in 0..held + 20 {
        account.store_overdue(&id.to_string()).await;
    }
    let sweep = outbox.sweep_waiting(SHARD);
    let more = timeout(PATIENCE, sweep).await.expect("the sweep waits for ever").unwrap();
    assert!(!more, "there is no progress, so the sweep pauses");
    assert_eq!(outbox.state.announcing.len(), held);
}

#[tokio::test]
async fn the_age_of_an_item_counts_from_when_it_was_stored_whoever_has_it() {
    let account = TestAccount::start().await;
    account.store_overdue("one").await;
    account.age("one", Duration::from_secs(3_600)).await;
    let outbox = account.outbox(&Announcements::scripted([Outcome::Silence]));
    // The first look claims it, and the second finds that this process has it.
    outbox.sweep_all(Part::Waiting).await;
    outbox.sweep_all(Part::Waiting).await;
    assert_eq!(outbox.state.held.in_hand().0, 1);
    assert!(outbox.state.oldest_age() >= Duration::from_secs(3_600));
}

#[tokio::test]
async fn after_an_outage_nothing_waits_for_the_end_of_its_pause() {
    let account = TestAccount::start().await;
    // The items fail five times each, so that the pauses are long.
    let announcements = Announcements::scripted((0..50).map(|_| Outcome::Unavailable));
    let outbox = account.outbox(&announcements);
    let mut entries = Vec::new();
    for id in 0..10 {
        entries.push(account.store(&id.to_string()).await);
    }
    // From here on nothing calls the account, and time may pass quickly.
    pause();
    for entry in entries {
        outbox.announce_fresh(entry).await;
    }
    while announcements.announced().is_empty() {
        // As the sweep does.
        (0..10).for_each(|id| outbox.state.held.renew(&id.to_string(), PATIENCE));
        sleep(Duration::from_millis(10)).await;
    }
    // The first that succeeds wakes the others, whose pauses have only begun.
    let first = Instant::now();
    settled(&outbox).await;
    assert_eq!(announcements.announced().len(), 10);
    let paused = first.elapsed();
    assert!(paused < Duration::from_millis(100), "the others pause for {paused:?}");
}

#[tokio::test]
async fn the_log_says_once_that_an_outage_begins_and_once_that_it_is_over() {
    let account = TestAccount::start().await;
    let announcements = Announcements::scripted((0..3).map(|_| Outcome::Unavailable));
    let outbox = account.outbox(&announcements);
    let (entry, next) = (account.store("one").await, account.store("two").await);
    let log = Log::start();
    pause();
    for entry in [entry, next] {
        outbox.announce_fresh(entry).await;
        settled(&outbox).await;
    }
    assert_eq!(announcements.announced(), ["one", "two"]);
    let lines = log.lines();
    let count = |text| lines.iter().filter(|line| line.contains(text)).count();
    let told = ["topic is unavailable", "topic is available again"].map(count);
    assert_eq!(told, [1, 1], "{lines:#?}");
}

#[tokio::test]
async fn an_item_that_the_topic_refuses_is_set_aside_and_announced_once_that_is_repaired() {
    let account = TestAccount::start().await;
    let announcements = Announcements::scripted([Outcome::Refused, Outcome::Refused]);
    let outbox = account.outbox(&announcements);
    let entry = account.store("one").await;
    outbox.announce_fresh(entry).await;
    settled(&outbox).await;
    let due = account.due_in("one").await;
    assert!((25.0..=40.0).contains(&due), "retried in {due} s");

    account.make_due("one", 0).await;
    outbox.sweep_waiting(SHARD).await.unwrap();
    settled(&outbox).await;
    let due = account.due_in("one").await;
    assert!((55.0..=80.0).contains(&due), "retried in {due} s");
    let listed = waiting(&account.aws, &account.table, 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].refused.as_deref(), Some("too large"));
    assert_eq!(announcements.announced(), Vec::<String>::new());

    account.make_due("one", 0).await;
    outbox.sweep_waiting(SHARD).await.unwrap();
    settled(&outbox).await;
    assert_eq!(announcements.announced(), ["one"]);
    let listed = waiting(&account.aws, &account.table, 10).await.unwrap();
    assert_eq!((listed[0].refused.as_deref(), listed[0].announcements), (None, 1));
    account.store("two").await;
    assert_eq!(waiting(&account.aws, &account.table, 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_stopping_process_leaves_what_it_cannot_announce() {
    let account = TestAccount::start().await;
    let announcements = Announcements::scripted((0..100).map(|_| Outcome::Unavailable));
    let outbox = account.outbox(&announcements);
    let entry = account.store("one").await;
    outbox.announce_fresh(entry).await;
    while outbox.state.held.get("one").is_none() {
        sleep(Duration::from_millis(10)).await;
    }
    outbox.state.stopping.cancel();
    timeout(PATIENCE, settled(&outbox)).await.expect("it retries for ever");
    assert!(account.attribute("one", "outbox").await.is_some());
    assert_eq!(outbox.state.held.get("one"), None);
}
