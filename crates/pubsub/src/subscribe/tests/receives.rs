//! Receives that fail or hang, and how many there are.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_receive_without_a_response_times_out_15_s_after_its_wait() {
    let sqs = ScriptedSqs::default();
    sqs.inject_fault(RECEIVE, 1, Fault::Silent);
    sqs.send("a");
    let since = Instant::now();
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    subscription.until_empty().await;
    let taken = subscription.handled.starts("a")[0] - since;
    assert!(taken >= seconds(35) && taken < seconds(36), "{taken:?}");
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn failed_receives_are_retried_with_growing_delays() {
    let sqs = ScriptedSqs::default();
    sqs.inject_fault(RECEIVE, usize::MAX, Fault::Broken);
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    sleep(seconds(3600)).await;
    // One every 10 s on average, after the delays have grown to 0 to 20 s.
    let calls = sqs.calls(RECEIVE);
    assert!((200..800).contains(&calls), "{calls}");
    assert_eq!(subscription.free_permits(), 100);
    sqs.clear_fault(RECEIVE);
    sqs.send("a");
    let since = Instant::now();
    subscription.until_empty().await;
    assert!(since.elapsed() < seconds(21));
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_messages_are_received_than_there_are_permits() {
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
async fn polls_that_return_empty_at_once_are_spaced_out() {
    let sqs = ScriptedSqs::default();
    let eager = Settings { receive_wait: Duration::ZERO, ..settings() };
    let subscription = start(&sqs, eager, async |_| Ok(())).await;
    sleep(seconds(10)).await;
    let polls = sqs.calls(RECEIVE);
    assert!((10..=60).contains(&polls), "{polls} polls in ten seconds");
    subscription.end().await;
}

/// How long a worker takes for 300 messages, if each receive takes a second.
async fn with_slow_receives(max_in_flight: usize) -> Duration {
    let sqs = ScriptedSqs::default();
    for number in 0..300 {
        sqs.send(&number.to_string());
    }
    sqs.inject_fault(RECEIVE, usize::MAX, Fault::Late(seconds(1)));
    let since = Instant::now();
    let subscription =
        start(&sqs, Settings { max_in_flight, ..settings() }, async |_| Ok(())).await;
    subscription.until_empty().await;
    let taken = since.elapsed();
    subscription.shutdown.cancel();
    taken
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_gets_a_poller_for_every_ten_messages_in_flight() {
    // One poller would take 30 s for 30 full receives.
    let hundred = with_slow_receives(100).await;
    assert!(hundred < seconds(10), "{hundred:?}");
    let twenty = with_slow_receives(20).await;
    assert!((seconds(14)..seconds(24)).contains(&twenty), "{twenty:?}");
    let ten = with_slow_receives(10).await;
    assert!(ten >= seconds(29), "{ten:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_retried_does_not_make_receives_smaller() {
    let sqs = ScriptedSqs::default();
    sqs.send("bad");
    let subscription =
        start(
            &sqs,
            settings(),
            async |notification| {
                if notification.message == "bad" { Err(retry()) } else { Ok(()) }
            },
        )
        .await;
    sleep(seconds(1)).await;
    for number in 0..50 {
        sqs.send(&number.to_string());
    }
    subscription.until_empty().await;
    let receives = sqs.calls(RECEIVE);
    assert!(receives <= 20, "{receives} receives for 50 messages, and one three times");
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_rush_one_poller_is_left() {
    let sqs = ScriptedSqs::default();
    for number in 0..300 {
        sqs.send(&number.to_string());
    }
    sqs.inject_fault(RECEIVE, 60, Fault::Late(seconds(1)));
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    subscription.until_empty().await;
    sleep(seconds(30)).await;
    let before = sqs.calls(RECEIVE);
    sleep(seconds(600)).await;
    // An empty queue answers after 20 s.
    let calls = sqs.calls(RECEIVE) - before;
    assert!(calls <= 31, "{calls} receives in ten minutes");
    subscription.end().await;
}

/// The number of receives for 1,000 messages that come `millis` apart, and the number of 20 ms in
/// that time. Each message is handled 20 ms after it came at the latest.
async fn receives_of_messages_apart(millis: u64) -> (usize, usize) {
    let sqs = ScriptedSqs::default();
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    let (began, before) = (Instant::now(), sqs.calls(RECEIVE));
    for number in 0..1_000_u32 {
        let (id, sent) = (number.to_string(), Instant::now());
        sqs.send(&id);
        sleep(Duration::from_millis(millis)).await;
        if number % 50 == 0 {
            sleep(Duration::from_millis(30)).await;
            let waited = subscription.handled.starts(&id)[0] - sent;
            assert!(waited <= Duration::from_millis(21), "{waited:?}");
        }
    }
    subscription.until_empty().await;
    let (receives, took) = (sqs.calls(RECEIVE) - before, began.elapsed());
    subscription.end().await;
    (receives, took.as_millis() as usize / 20)
}

#[tokio::test(start_paused = true)]
async fn messages_that_come_one_by_one_share_receives_and_wait_for_20_ms_at_most() {
    let (receives, most) = receives_of_messages_apart(5).await;
    assert!(receives <= most + 2, "{receives} receives for 1,000 messages, four in 20 ms");
    // Enough come together for another poller to be tried now and then.
    let (receives, most) = receives_of_messages_apart(3).await;
    assert!(receives <= most + most / 5, "{receives} receives for 1,000 messages, seven in 20 ms");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_takes_one_message_at_a_time_takes_the_next_at_once() {
    let sqs = ScriptedSqs::default();
    for number in 0..100 {
        sqs.send(&number.to_string());
    }
    let since = Instant::now();
    let alone = Settings { max_in_flight: 1, ..settings() };
    let subscription = start(&sqs, alone, async |_| Ok(())).await;
    subscription.until_empty().await;
    let taken = since.elapsed();
    assert!(taken < seconds(1), "{taken:?}");
    subscription.end().await;
}
