//! The drain after SIGTERM: no message is lost, and none stays hidden longer than necessary.

use proptest::prelude::{ProptestConfig, proptest};

use super::*;

#[tokio::test(start_paused = true)]
async fn an_idle_worker_exits_when_its_long_poll_ends() {
    let sqs = ScriptedSqs::default();
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    sleep(seconds(5)).await;
    let taken = subscription.end().await;
    assert!(taken < seconds(16), "{taken:?}");
    assert_eq!(sqs.calls(RECEIVE), 1);
}

#[tokio::test(start_paused = true)]
async fn messages_that_the_last_poll_returns_after_sigterm_are_handled() {
    let sqs = ScriptedSqs::default();
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    sleep(seconds(5)).await;
    subscription.shutdown.cancel();
    sleep(seconds(10)).await;
    sqs.send("a");
    subscription.end().await;
    assert_eq!(ids(&sqs.deleted()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn messages_in_a_response_that_is_late_at_sigterm_are_handled() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    sqs.inject_fault(RECEIVE, 1, Fault::Late(seconds(30)));
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    sleep(seconds(5)).await;
    subscription.end().await;
    assert_eq!(ids(&sqs.deleted()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn unfinished_handlers_are_cancelled_and_their_messages_released_when_the_drain_times_out() {
    let sqs = ScriptedSqs::default();
    for number in 0..30 {
        sqs.send(&number.to_string());
    }
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let patient = Settings { handler_deadline: seconds(600), ..settings() };
    let subscription = start(&sqs, patient, move |_| {
        let held = Arc::clone(&held);
        async move {
            sleep(seconds(500)).await;
            drop(held);
            Ok(())
        }
    })
    .await;
    sleep(seconds(5)).await;
    let taken = subscription.end().await;
    assert!(taken <= seconds(50), "{taken:?}");
    assert_eq!(Arc::strong_count(&alive), 1);
    assert_eq!(sqs.deleted(), []);
    let waiting = sqs.waiting();
    assert_eq!(waiting.len(), 30);
    assert!(waiting.iter().all(|(_, hidden, _)| hidden.is_zero()));
}

#[tokio::test(start_paused = true)]
async fn a_drain_shorter_than_a_poll_is_refused() {
    let sqs = ScriptedSqs::default();
    let hasty = Settings { drain: seconds(24), ..settings() };
    let handler = |(), _| async { Ok(()) };
    let refused = subscribe(&sqs.config(), hasty, CancellationToken::new(), handler).await;
    let reason = refused.unwrap_err().to_string();
    assert!(reason.contains("RECEIVE_WAIT_SECONDS is 20, but the drain of 24 s"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn no_task_receives_after_the_worker_has_exited() {
    let sqs = ScriptedSqs::default();
    for number in 0..100 {
        sqs.send(&number.to_string());
    }
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    sleep(seconds(1)).await;
    let worker = Arc::downgrade(&subscription.worker);
    subscription.end().await;
    assert_eq!(sqs.deleted().len(), 100);
    assert_eq!(worker.strong_count(), 0);
    sqs.send("late");
    sleep(seconds(1)).await;
    assert_eq!(sqs.receives("late"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_stops_responding_does_not_delay_the_exit() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    sleep(seconds(1)).await;
    for operation in [RECEIVE, DELETE, CHANGE] {
        sqs.inject_fault(operation, usize::MAX, Fault::Silent);
    }
    let taken = subscription.end().await;
    assert!(taken <= seconds(50), "{taken:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sigterm_at_any_time_loses_no_message_and_leaves_none_hidden(at in 0..60_000_u64) {
        paused(async {
            let sqs = ScriptedSqs::default();
            for number in 0..60 {
                sqs.send(&number.to_string());
            }
            let narrow = Settings { max_in_flight: 20, ..settings() };
            let subscription = start(&sqs, narrow, async |_| {
                work_for(Duration::from_millis(rand::random_range(0..30_000))).await?;
                if rand::random_bool(0.3) { Err(retry()) } else { Ok(()) }
            })
            .await;
            sleep(Duration::from_millis(at)).await;
            let taken = subscription.end().await;
            assert!(taken <= seconds(50), "{taken:?}");
            let waiting = sqs.waiting();
            assert_eq!(waiting.len() + sqs.deleted().len() + sqs.dead().len(), 60);
            // The longest back-off after three attempts.
            let hidden = waiting.iter().map(|(_, hidden, _)| *hidden).max();
            assert!(hidden.unwrap_or_default() <= seconds(8), "{hidden:?}");
        });
    }
}
