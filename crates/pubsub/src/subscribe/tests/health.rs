//! When a worker is healthy, and when it is not.

use std::sync::mpsc;

use super::*;
use crate::subscribe::liveness::Liveness;

#[tokio::test(start_paused = true)]
async fn a_healthy_worker_says_how_busy_it_is() {
    let sqs = ScriptedSqs::default();
    let subscription = start(&sqs, settings(), |_| work_for(seconds(10))).await;
    for id in ["a", "b"] {
        sqs.send(id);
    }
    sleep(seconds(4)).await;
    let state = subscription.worker.examine().unwrap();
    assert_eq!(state, "ok: 2 messages in flight, last poll 4 s ago");
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_renewals_stand_still_is_unhealthy() {
    let liveness = Liveness::new();
    sleep(seconds(29)).await;
    assert!(liveness.examine(seconds(20)).is_ok());
    sleep(seconds(2)).await;
    let why = liveness.examine(seconds(20)).unwrap_err();
    assert_eq!(why, "the lease renewal task has not run for 31 s");
    liveness.renewal_ticked();
    assert!(liveness.examine(seconds(20)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_poll_does_not_end_is_unhealthy() {
    let liveness = Liveness::new();
    liveness.poll_started();
    sleep(seconds(49)).await;
    liveness.renewal_ticked();
    assert!(liveness.examine(seconds(20)).is_ok());
    sleep(seconds(2)).await;
    let why = liveness.examine(seconds(20)).unwrap_err();
    assert_eq!(why, "a poll has not ended for 51 s");
    liveness.poll_ended(None);
    assert!(liveness.examine(seconds(20)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_busy_or_idle_worker_is_healthy() {
    let sqs = ScriptedSqs::default();
    let narrow = Settings { max_in_flight: 1, handler_deadline: seconds(300), ..settings() };
    let subscription = start(&sqs, narrow, |_| work_for(seconds(200))).await;
    for second in 0..500 {
        if second == 100 {
            sqs.send("uses the only permit");
        }
        let state = subscription.worker.examine();
        assert!(state.is_ok(), "after {second} s: {state:?}");
        sleep(seconds(1)).await;
    }
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_permission_to_receive_is_unhealthy_and_says_why() {
    let sqs = ScriptedSqs::default();
    sqs.inject_fault(RECEIVE, usize::MAX, Fault::Denied);
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    sleep(seconds(1)).await;
    let why = subscription.worker.examine().unwrap_err();
    assert!(why.contains("AccessDenied"), "{why}");
    sqs.clear_fault(RECEIVE);
    sleep(seconds(45)).await;
    let state = subscription.worker.examine();
    assert!(state.is_ok(), "{state:?}");
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_is_healthy_while_sqs_is_away_because_a_new_process_would_not_help() {
    for fault in [Fault::Silent, Fault::Broken] {
        let sqs = ScriptedSqs::default();
        sqs.inject_fault(RECEIVE, usize::MAX, fault);
        let subscription = start(&sqs, settings(), async |_| Ok(())).await;
        for second in 0..300 {
            let state = subscription.worker.examine();
            assert!(state.is_ok(), "after {second} s: {state:?}");
            sleep(seconds(1)).await;
        }
        subscription.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_permission_to_delete_is_unhealthy_until_it_has_it() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    sqs.inject_fault(DELETE, usize::MAX, Fault::Denied);
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    sleep(seconds(5)).await;
    let why = subscription.worker.examine().unwrap_err();
    assert!(why.starts_with("cannot delete from the queue: "), "{why}");
    sqs.clear_fault(DELETE);
    subscription.until_empty().await;
    assert!(subscription.worker.examine().is_ok());
    subscription.end().await;
}

/// Runs in real time, because paused time does not advance while a thread is blocked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_with_a_blocked_handler_is_unhealthy_and_does_not_start_it_again() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let (release, blocked) = mpsc::channel();
    let blocked = Arc::new(Mutex::new(blocked));
    let hasty = Settings { handler_deadline: Duration::from_millis(50), ..settings() };
    let subscription = start(&sqs, hasty, move |_| {
        let blocked = Arc::clone(&blocked);
        async move {
            blocked.lock().unwrap().recv().unwrap();
            Ok(())
        }
    })
    .await;
    let unhealthy = async {
        loop {
            if let Err(why) = subscription.worker.examine() {
                break why;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    let why = timeout(seconds(5), unhealthy).await.unwrap();
    assert!(why.contains("a handler has been running"), "{why}");
    sqs.redeliver("a");
    let redelivered = async {
        while sqs.receives("a") < 2 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(seconds(5), redelivered).await.unwrap();
    release.send(()).unwrap();
    timeout(seconds(5), subscription.until_empty()).await.unwrap();
    assert_eq!(subscription.handled.starts("a").len(), 1);
    assert!(subscription.worker.examine().is_ok());
}
