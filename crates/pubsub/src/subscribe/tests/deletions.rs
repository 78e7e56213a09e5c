//! Processed messages are deleted even if deletes fail at first, and are not handled again.

use super::*;

#[tokio::test(start_paused = true)]
async fn failed_entries_of_a_delete_batch_are_retried() {
    let sqs = ScriptedSqs::default();
    for number in 0..10 {
        sqs.send(&number.to_string());
    }
    sqs.inject_fault(DELETE, 2, Fault::EverySecondEntry);
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    sleep(seconds(5)).await;
    assert_eq!(sqs.deleted().len(), 10);
    assert_eq!(sqs.calls(DELETE), 3);
    for number in 0..10 {
        assert_eq!(subscription.handled.starts(&number.to_string()).len(), 1);
    }
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn no_message_is_handled_again_while_deletes_fail_for_minutes() {
    for fault in [Fault::Broken, Fault::Silent, Fault::Denied] {
        let sqs = ScriptedSqs::default();
        for number in 0..30 {
            sqs.send(&number.to_string());
        }
        sqs.inject_fault(DELETE, usize::MAX, fault);
        let subscription = start(&sqs, settings(), async |_| Ok(())).await;
        sleep(seconds(150)).await;
        assert_eq!(sqs.deleted(), []);
        sqs.redeliver("7");
        sleep(seconds(5)).await;
        sqs.clear_fault(DELETE);
        subscription.until_empty().await;
        assert_eq!(sqs.deleted().len(), 30);
        for number in 0..30 {
            assert_eq!(subscription.handled.starts(&number.to_string()).len(), 1);
        }
        subscription.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_of_a_processed_message_is_deleted_and_not_handled() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    subscription.until_empty().await;
    sqs.send("a");
    subscription.until_empty().await;
    assert_eq!(ids(&sqs.deleted()), ["a", "a"]);
    assert_eq!(subscription.handled.starts("a").len(), 1);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_messages_take_at_most_250_requests() {
    let sqs = ScriptedSqs::default();
    for number in 0..1_000 {
        sqs.send(&number.to_string());
    }
    let subscription =
        start(&sqs, settings(), |_| work_for(Duration::from_millis(rand::random_range(10..200))))
            .await;
    subscription.until_empty().await;
    let requests = sqs.calls(RECEIVE) + sqs.calls(DELETE);
    assert!(requests <= 250, "{requests}");
    assert_eq!(subscription.handled.0.lock().unwrap().len(), 1_000);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn deletes_that_take_long_do_not_wait_for_each_other() {
    let sqs = ScriptedSqs::default();
    for number in 0..200 {
        sqs.send(&number.to_string());
    }
    sqs.inject_fault(DELETE, usize::MAX, Fault::Late(seconds(5)));
    let since = Instant::now();
    let subscription =
        start(&sqs, Settings { max_in_flight: 200, ..settings() }, async |_| Ok(())).await;
    subscription.until_empty().await;
    assert!(since.elapsed() < seconds(10), "{:?}", since.elapsed());
    subscription.end().await;
}
