//! Handlers that succeed, fail, panic or hang.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_message_is_deleted_only_after_its_handler_succeeded() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let subscription = start(&sqs, settings(), |_| work_for(seconds(5))).await;
    subscription.until_empty().await;
    let started = subscription.handled.starts("a")[0];
    let (deleted, at) = sqs.deleted().remove(0);
    assert_eq!(deleted, "a");
    assert!(at - started >= seconds(5));
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_is_retried_after_a_panic() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let subscription = start(&sqs, settings(), async |notification| {
        assert!(notification.attempt > 1, "the first attempt panics");
        Ok(())
    })
    .await;
    subscription.until_empty().await;
    assert_eq!(ids(&sqs.deleted()), ["a"]);
    assert_eq!(subscription.handled.starts("a").len(), 2);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_hanging_handler_is_dropped_at_its_deadline_and_its_message_is_retried() {
    struct Dropped(Arc<Mutex<Option<Instant>>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = Some(Instant::now());
        }
    }
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let dropped = Arc::new(Mutex::new(None));
    let witness = Arc::clone(&dropped);
    let subscription = start(&sqs, settings(), move |notification| {
        let held = (notification.attempt == 1).then(|| Dropped(Arc::clone(&witness)));
        async move {
            if held.is_some() {
                sleep(seconds(1_000_000)).await;
            }
            Ok(())
        }
    })
    .await;
    subscription.until_empty().await;
    let starts = subscription.handled.starts("a");
    let dropped = dropped.lock().unwrap().unwrap() - starts[0];
    assert!(dropped >= seconds(25) && dropped < seconds(26), "{dropped:?}");
    assert_eq!(starts.len(), 2);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_dead_letter_queue_the_delays_grow_to_at_most_a_quarter_of_an_hour() {
    let sqs = ScriptedSqs::default();
    sqs.remove_dead_letter_queue();
    sqs.send("a");
    let subscription = start(&sqs, settings(), async |_| Err(retry())).await;
    sleep(seconds(3_600)).await;
    let starts = subscription.handled.starts("a");
    let pauses: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let longest = *pauses.iter().max().unwrap();
    // Each is a random part of its limit. Were all of them short, there would be very many.
    assert!(longest > seconds(90) && longest <= seconds(902), "{longest:?}");
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn failed_messages_are_retried_with_growing_random_delays() {
    let sqs = ScriptedSqs::default();
    for number in 0..40 {
        sqs.send(&number.to_string());
    }
    let subscription = start(&sqs, settings(), async |_| Err(retry())).await;
    subscription.until_empty().await;
    let mut pauses = [Vec::new(), Vec::new()];
    for number in 0..40 {
        let starts = subscription.handled.starts(&number.to_string());
        assert_eq!(starts.len(), 3);
        for (pause, pair) in pauses.iter_mut().zip(starts.windows(2)) {
            pause.push(pair[1] - pair[0]);
        }
    }
    let longest = pauses.each_ref().map(|pauses| *pauses.iter().max().unwrap());
    assert!(longest[0] <= seconds(3) && longest[1] <= seconds(5), "{longest:?}");
    // Rounded up to whole seconds: 1 to 2 s after the first failure, 1 to 4 s after the second.
    assert!(longest[1] > longest[0] && longest[0] >= seconds(1), "{longest:?}");
    let shortest = pauses.each_ref().map(|pauses| *pauses.iter().min().unwrap());
    assert!(shortest.iter().all(|pause| (seconds(1)..seconds(2)).contains(pause)), "{shortest:?}");
    assert_eq!(sqs.dead().len(), 40);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn poison_reaches_the_dead_letter_queue_in_under_a_second() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let since = Instant::now();
    let subscription = start(&sqs, settings(), async |_| Err(poison())).await;
    subscription.until_empty().await;
    assert_eq!(ids(&sqs.dead()), ["a"]);
    assert!(sqs.dead()[0].1 - since < seconds(1));
    assert_eq!(sqs.receives("a"), MAX_RECEIVES);
    assert_eq!(subscription.handled.starts("a").len(), 1);
    assert_eq!(sqs.deleted(), []);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_message_does_not_delay_others() {
    let sqs = ScriptedSqs::default();
    sqs.send("slow");
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let subscription = start(&sqs, settings(), move |notification| {
        let count = Arc::clone(&count);
        async move {
            if notification.message == "slow" {
                sleep(seconds(20)).await;
            }
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    })
    .await;
    sleep(seconds(1)).await;
    for number in 0..50 {
        sqs.send(&number.to_string());
    }
    sleep(seconds(1)).await;
    assert_eq!(done.load(Ordering::Relaxed), 50);
    subscription.until_empty().await;
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_is_retried_after_a_panic_before_the_handler_returns_its_future() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let subscription = start(&sqs, settings(), |notification| {
        assert!(notification.attempt > 1, "the first attempt panics");
        async { Ok(()) }
    })
    .await;
    sleep(seconds(10)).await;
    assert_eq!(ids(&sqs.deleted()), ["a"]);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_dead_letter_queue_messages_are_not_retried_in_a_tight_loop() {
    for failure in [retry as fn() -> Failure, poison] {
        let sqs = ScriptedSqs::default();
        sqs.remove_dead_letter_queue();
        sqs.inject_fault(ATTRIBUTES, usize::MAX, Fault::Denied);
        sqs.send("a");
        let subscription = start(&sqs, settings(), move |_| async move { Err(failure()) }).await;
        sleep(seconds(60)).await;
        let receives = sqs.receives("a");
        assert!((4..50).contains(&receives), "{receives} receives in a minute");
        subscription.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn failed_entries_of_a_release_are_retried_before_their_timeout_ends() {
    let sqs = ScriptedSqs::default();
    sqs.inject_fault(CHANGE, 2, Fault::EverySecondEntry);
    for number in 0..10 {
        sqs.send(&number.to_string());
    }
    let subscription = start(&sqs, settings(), async |_| Err(poison())).await;
    sleep(VISIBILITY / 2).await;
    assert_eq!(sqs.dead().len(), 10, "{:?}", sqs.waiting());
    subscription.end().await;
}
