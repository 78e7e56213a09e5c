//! What was handled is deleted, however long that takes, and not handled again meanwhile.

use super::*;

#[tokio::test(start_paused = true)]
async fn entries_of_a_batch_that_fail_are_deleted_by_later_calls() {
    let sqs = ScriptedSqs::default();
    for number in 0..10 {
        sqs.send(&number.to_string());
    }
    sqs.disturb(DELETE, 2, Fault::EverySecondEntry);
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
async fn nothing_is_handled_twice_while_no_deletion_succeeds_for_minutes() {
    for fault in [Fault::Broken, Fault::Silent, Fault::Denied] {
        let sqs = ScriptedSqs::default();
        for number in 0..30 {
            sqs.send(&number.to_string());
        }
        sqs.disturb(DELETE, usize::MAX, fault);
        let subscription = start(&sqs, settings(), async |_| Ok(())).await;
        sleep(seconds(150)).await;
        assert_eq!(sqs.deleted(), []);
        sqs.deliver_again("7");
        sleep(seconds(5)).await;
        sqs.mend(DELETE);
        subscription.until_empty().await;
        assert_eq!(sqs.deleted().len(), 30);
        for number in 0..30 {
            assert_eq!(subscription.handled.starts(&number.to_string()).len(), 1);
        }
        subscription.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_comes_after_success_is_deleted_and_not_handled() {
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
async fn a_thousand_messages_take_at_most_a_quarter_of_a_request_each() {
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
