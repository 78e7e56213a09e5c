//! Leases: renewals, duplicates, loss, and a policy that denies visibility changes.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_handler_may_run_longer_than_the_visibility_timeout() {
    let sqs = ScriptedSqs::default();
    for number in 0..25 {
        sqs.send(&number.to_string());
    }
    let patient = Settings { handler_deadline: seconds(600), ..settings() };
    let subscription = start(&sqs, patient, |_| work_for(seconds(300))).await;
    subscription.until_empty().await;
    for number in 0..25 {
        let id = number.to_string();
        assert_eq!(subscription.handled.starts(&id).len(), 1);
        assert_eq!(sqs.receives(&id), 1);
    }
    assert_eq!(sqs.deleted().len(), 25);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn renewals_that_time_out_do_not_delay_the_others() {
    let sqs = ScriptedSqs::default();
    for number in 0..90 {
        sqs.send(&number.to_string());
    }
    let patient = Settings { handler_deadline: seconds(600), ..settings() };
    let subscription = start(&sqs, patient, |_| work_for(seconds(100))).await;
    sleep(seconds(45)).await;
    sqs.inject_fault(CHANGE, 6, Fault::Silent);
    subscription.until_empty().await;
    let receives = (0..90).map(|number| sqs.receives(&number.to_string()));
    assert_eq!(receives.max(), Some(1));
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_cancels_the_handler_and_the_message_is_not_deleted() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let patient = Settings { handler_deadline: seconds(600), ..settings() };
    let (alive, held) = (Arc::new(()), Arc::new(Mutex::new(None)));
    *held.lock().unwrap() = Some(Arc::clone(&alive));
    let subscription = start(&sqs, patient, move |_| {
        let held = held.lock().unwrap().take();
        async move {
            sleep(seconds(100)).await;
            drop(held);
            Ok(())
        }
    })
    .await;
    sleep(seconds(30)).await;
    sqs.steal("a");
    assert_eq!(Arc::strong_count(&alive), 2);
    sleep(seconds(25)).await;
    assert_eq!(Arc::strong_count(&alive), 1);
    assert_eq!(sqs.deleted(), []);
    assert_eq!(sqs.calls(DELETE), 0);
    assert_eq!(subscription.free_permits(), 90);
    let hidden = sqs.waiting().remove(0).1;
    assert!(hidden > seconds(30), "the other receiver still has it: {hidden:?}");
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_delivered_twice_in_a_batch_is_handled_once_and_deleted() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    sqs.deliver_twice("a");
    let subscription = start(&sqs, settings(), |_| work_for(seconds(1))).await;
    sleep(seconds(3)).await;
    assert_eq!(subscription.handled.starts("a").len(), 1);
    // Only the newest receipt handle deletes the message.
    assert_eq!(ids(&sqs.deleted()), ["a"]);
    assert_eq!(sqs.calls(DELETE), 1);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_redelivered_while_its_handler_runs_is_handled_once_and_deleted() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let subscription = start(&sqs, settings(), |_| work_for(seconds(10))).await;
    sleep(seconds(5)).await;
    sqs.redeliver("a");
    sleep(seconds(10)).await;
    assert_eq!(sqs.receives("a"), 2);
    assert_eq!(subscription.handled.starts("a").len(), 1);
    assert_eq!(ids(&sqs.deleted()), ["a"]);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn without_permission_to_change_visibility_the_timeout_applies() {
    let sqs = ScriptedSqs::default();
    sqs.inject_fault(CHANGE, usize::MAX, Fault::Denied);
    for id in ["good", "later", "poison", "long"] {
        sqs.send(id);
    }
    let patient = Settings { handler_deadline: seconds(600), ..settings() };
    let subscription = start(&sqs, patient, async |notification| {
        match (notification.message.as_str(), notification.attempt) {
            ("poison", _) => Err(poison()),
            ("later", 1) => Err(retry()),
            ("long", _) => work_for(seconds(100)).await,
            _ => Ok(()),
        }
    })
    .await;
    subscription.until_empty().await;
    assert_eq!(ids(&sqs.deleted()), ["good", "later", "long"]);
    assert_eq!(ids(&sqs.dead()), ["poison"]);
    let later = subscription.handled.starts("later");
    assert!(later[1] - later[0] >= VISIBILITY);
    for (id, times) in [("good", 1), ("later", 2), ("long", 1), ("poison", 1)] {
        assert_eq!(subscription.handled.starts(id).len(), times, "{id}");
    }
    // It tries once a minute, in case the permission was granted.
    assert!((1..=12).contains(&sqs.calls(CHANGE)), "{} calls", sqs.calls(CHANGE));
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_permission_granted_later_is_used() {
    let sqs = ScriptedSqs::default();
    sqs.inject_fault(CHANGE, 1, Fault::Denied);
    sqs.send("before");
    let subscription = start(&sqs, settings(), async |_| Err(poison())).await;
    subscription.until_empty().await;
    sleep(seconds(60)).await;
    sqs.send("after");
    let sent = Instant::now();
    subscription.until_empty().await;
    assert!(sent.elapsed() < seconds(1), "{:?}", sent.elapsed());
    assert_eq!(ids(&sqs.dead()), ["after", "before"]);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_is_not_sent_again_because_the_message_may_be_released_meanwhile() {
    let sqs = ScriptedSqs::default();
    sqs.send("a");
    let patient = Settings { handler_deadline: seconds(600), ..settings() };
    let subscription = start(&sqs, patient, |_| work_for(seconds(100))).await;
    sleep(seconds(49)).await;
    sqs.inject_fault(CHANGE, 1, Fault::Broken);
    sleep(seconds(3)).await;
    assert_eq!(sqs.calls(CHANGE), 1, "the SDK sent it again");
    subscription.until_empty().await;
    assert_eq!(sqs.receives("a"), 1, "the lease was renewed later");
    subscription.end().await;
}
