//! When the health check is red, and that it is green otherwise.

use std::sync::mpsc;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_worker_that_works_or_waits_is_well() {
    let sqs = ScriptedSqs::default();
    let narrow = Settings { max_in_flight: 1, handler_deadline: seconds(300), ..settings() };
    let subscription = start(&sqs, narrow, |_| work_for(seconds(200))).await;
    for second in 0..500 {
        if second == 100 {
            sqs.send("long, with no room for another");
        }
        let state = subscription.worker.examine();
        assert!(state.is_ok(), "after {second} s: {state:?}");
        sleep(seconds(1)).await;
    }
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_refuses_turns_it_red_with_the_reason() {
    let sqs = ScriptedSqs::default();
    sqs.disturb(RECEIVE, usize::MAX, Fault::Denied);
    let subscription = start(&sqs, settings(), async |_| Ok(())).await;
    sleep(seconds(1)).await;
    let why = subscription.worker.examine().unwrap_err();
    assert!(why.contains("AccessDenied"), "{why}");
    sqs.mend(RECEIVE);
    sleep(seconds(45)).await;
    let state = subscription.worker.examine();
    assert!(state.is_ok(), "{state:?}");
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_answers_no_poll_turns_it_red() {
    for fault in [Fault::Silent, Fault::Broken] {
        let sqs = ScriptedSqs::default();
        sqs.disturb(RECEIVE, usize::MAX, fault);
        let subscription = start(&sqs, settings(), async |_| Ok(())).await;
        sleep(seconds(49)).await;
        assert!(subscription.worker.examine().is_ok());
        sleep(seconds(2)).await;
        let why = subscription.worker.examine().unwrap_err();
        assert!(why.contains("no poll was answered for 51 s"), "{why}");
        subscription.end().await;
    }
}

/// On real time: a thread that is blocked cannot be cancelled, and no clock runs by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_past_twice_its_deadline_turns_it_red_and_is_not_started_twice() {
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
    let red = async {
        loop {
            if let Err(why) = subscription.worker.examine() {
                break why;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    let why = timeout(seconds(5), red).await.unwrap();
    assert!(why.contains("a handler has been running"), "{why}");
    sqs.deliver_again("a");
    let again = async {
        while sqs.receives("a") < 2 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(seconds(5), again).await.unwrap();
    release.send(()).unwrap();
    timeout(seconds(5), subscription.until_empty()).await.unwrap();
    assert_eq!(subscription.handled.starts("a").len(), 1);
    assert!(subscription.worker.examine().is_ok());
}
