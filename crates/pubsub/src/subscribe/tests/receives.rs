//! Receives that fail, and receives that never end.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_receive_that_is_never_answered_is_given_up_after_its_wait_and_15_s() {
    let sqs = ScriptedSqs::default();
    sqs.disturb(RECEIVE, 1, Fault::Silent);
    sqs.send("a");
    let since = Instant::now();
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    subscription.until_empty().await;
    let taken = subscription.handled.starts("a")[0] - since;
    assert!(taken >= seconds(35) && taken < seconds(36), "{taken:?}");
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn failed_receives_are_tried_again_ever_more_slowly() {
    let sqs = ScriptedSqs::default();
    sqs.disturb(RECEIVE, usize::MAX, Fault::Broken);
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    sleep(seconds(3600)).await;
    // One every 10 s on average, once the pauses have grown to up to 20 s.
    let calls = sqs.calls(RECEIVE);
    assert!((200..800).contains(&calls), "{calls}");
    assert_eq!(subscription.free_permits(), 100);
    sqs.mend(RECEIVE);
    sqs.send("a");
    let since = Instant::now();
    subscription.until_empty().await;
    assert!(since.elapsed() < seconds(21));
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_is_received_than_there_is_room_for() {
    let sqs = ScriptedSqs::default();
    for number in 0..50 {
        sqs.send(&number.to_string());
    }
    let narrow = Settings { max_in_flight: 13, ..settings() };
    let subscription = start(&sqs, narrow, |_| work_for(seconds(10))).await;
    sleep(seconds(5)).await;
    let received = (0..50).filter(|number| sqs.receives(&number.to_string()) > 0);
    assert_eq!(received.count(), 13);
    assert_eq!(subscription.free_permits(), 0);
    subscription.until_empty().await;
    assert_eq!(sqs.deleted().len(), 50);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn polls_that_are_empty_at_once_are_spaced() {
    let sqs = ScriptedSqs::default();
    let eager = Settings { receive_wait: Duration::ZERO, ..settings() };
    let subscription = start(&sqs, eager, async |_| Ok(())).await;
    sleep(seconds(10)).await;
    let polls = sqs.calls(RECEIVE);
    assert!((10..=60).contains(&polls), "{polls} polls in ten seconds");
    subscription.end().await;
}
