//! FIFO queues: order within a group, and groups side by side.

use std::collections::HashMap;

use proptest::{
    collection::vec,
    prelude::{ProptestConfig, proptest},
};

use super::*;

fn fifo() -> Settings {
    let queue = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo";
    Settings::new(queue.to_owned())
}

/// When a message was deleted.
fn deleted_at(sqs: &ScriptedSqs, id: &str) -> Instant {
    let deleted = sqs.deleted().into_iter().find(|(deleted, _)| deleted == id);
    deleted.unwrap_or_else(|| panic!("{id} was not deleted")).1
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_group_are_handled_in_order_and_groups_side_by_side() {
    let sqs = ScriptedSqs::default();
    for number in 0..5 {
        sqs.send_in_group("a", number);
        sqs.send_in_group("b", number);
    }
    let since = Instant::now();
    let subscription = start(&sqs, fifo(), |_| work_for(seconds(20))).await;
    sleep(seconds(1)).await;
    assert!(sqs.calls(RECEIVE) <= 2, "one receive brings all ten, and the next one waits");
    subscription.until_empty().await;
    for group in ["a", "b"] {
        for number in 0..5 {
            let id = format!("{group}{number}");
            let starts = subscription.handled.starts(&id);
            let late = starts[0] - since - seconds(20 * number);
            assert!(starts.len() == 1 && late < seconds(1), "{id} started {late:?} late");
            assert_eq!(sqs.receives(&id), 1, "{id}: one receive brings all, and keeps the leases");
        }
    }
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_message_holds_back_its_group_and_no_other() {
    let sqs = ScriptedSqs::default();
    for number in 0..3 {
        sqs.send_in_group("a", number);
        sqs.send_in_group("b", number);
    }
    let since = Instant::now();
    let subscription = start(&sqs, fifo(), async |notification| {
        match (notification.message.as_str(), notification.attempt) {
            ("a0", 1..=2) => Err(retry()),
            _ => Ok(()),
        }
    })
    .await;
    subscription.until_empty().await;
    for id in ["b0", "b1", "b2"] {
        assert!(deleted_at(&sqs, id) - since < seconds(1), "{id} waited for a0");
    }
    let last_try = subscription.handled.starts("a0")[2];
    for id in ["a1", "a2"] {
        let starts = subscription.handled.starts(id);
        assert!(starts.len() == 1 && starts[0] >= last_try, "{id} overtook a0");
    }
    assert_eq!(sqs.dead(), []);
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_poison_message_does_not_take_its_group_to_the_dead_letter_queue() {
    let sqs = ScriptedSqs::default();
    for number in 0..5 {
        sqs.send_in_group("a", number);
    }
    let since = Instant::now();
    let subscription =
        start(
            &sqs,
            fifo(),
            async |notification| {
                if notification.message == "a0" { Err(poison()) } else { Ok(()) }
            },
        )
        .await;
    subscription.until_empty().await;
    assert_eq!(ids(&sqs.dead()), ["a0"]);
    assert_eq!(ids(&sqs.deleted()), ["a1", "a2", "a3", "a4"]);
    assert!(since.elapsed() < seconds(1), "{:?}", since.elapsed());
    subscription.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_in_the_middle_of_a_group_finishes_one_message_and_releases_the_rest() {
    let sqs = ScriptedSqs::default();
    for number in 0..3 {
        sqs.send_in_group("a", number);
    }
    let subscription = start(&sqs, fifo(), |_| work_for(seconds(10))).await;
    sleep(seconds(5)).await;
    let handled = subscription.handled.clone();
    subscription.end().await;
    // The poll in progress at SIGTERM returned a1 and a2 once more.
    assert_eq!(ids(&sqs.deleted()), ["a0", "a1"]);
    let waiting: Vec<_> = sqs.waiting().into_iter().map(|(id, hidden, _)| (id, hidden)).collect();
    assert_eq!(waiting, [("a2".to_owned(), seconds(0))]);
    assert!(handled.starts("a2").is_empty(), "a2 was started after SIGTERM");
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_lease_was_lost_while_it_waited_is_not_handled() {
    let sqs = ScriptedSqs::default();
    for number in 0..3 {
        sqs.send_in_group("a", number);
    }
    let patient = Settings { handler_deadline: seconds(600), ..fifo() };
    let subscription = start(&sqs, patient, |_| work_for(seconds(100))).await;
    sleep(seconds(5)).await;
    sqs.steal("a1");
    sleep(seconds(120)).await;
    assert_eq!(ids(&sqs.deleted()), ["a0"]);
    assert!(subscription.handled.starts("a2").is_empty(), "a2 overtook a1");
    subscription.until_empty().await;
    assert_eq!(ids(&sqs.deleted()), ["a0", "a1", "a2"]);
    subscription.end().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// For each message: how many of its attempts fail; with three it is poison to the queue.
    #[test]
    fn no_message_overtakes_another_of_its_group(
        groups in vec(vec(0..3_u32, 1..8), 1..5),
        room in 1..20_usize,
    ) {
        paused(async {
            let sqs = ScriptedSqs::default();
            for (group, failures) in groups.iter().enumerate() {
                for number in 0..failures.len() {
                    sqs.send_in_group(&format!("group{group}-"), number);
                }
            }
            let running: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
            let tries: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
            let script = groups.clone();
            let narrow = Settings { max_in_flight: room, ..fifo() };
            let (now_running, so_far) = (Arc::clone(&running), Arc::clone(&tries));
            let subscription = start(&sqs, narrow, move |notification| {
                let (running, tries) = (Arc::clone(&now_running), Arc::clone(&so_far));
                let script = script.clone();
                async move {
                    let group = notification.group.unwrap();
                    let (index, number) = notification.message.split_once('-').unwrap();
                    let index: usize = index.strip_prefix("group").unwrap().parse().unwrap();
                    let before = running.lock().unwrap().insert(group.clone(), index);
                    assert_eq!(before, None, "two messages of {group} at once");
                    work_for(Duration::from_millis(rand::random_range(0..100))).await?;
                    running.lock().unwrap().remove(&group);
                    let failures = script[index][number.parse::<usize>().unwrap()];
                    let mut tries = tries.lock().unwrap();
                    let tried = tries.entry(notification.message).or_default();
                    *tried += 1;
                    if *tried <= failures { Err(retry()) } else { Ok(()) }
                }
            })
            .await;
            subscription.until_empty().await;
            let deleted = sqs.deleted();
            for group in 0..groups.len() {
                let group = format!("group{group}-");
                let order: Vec<_> =
                    deleted.iter().filter(|(id, _)| id.starts_with(&group)).collect();
                assert!(order.is_sorted_by_key(|(id, _)| id), "{order:?}");
            }
            subscription.end().await;
        });
    }
}
