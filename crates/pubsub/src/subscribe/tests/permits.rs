//! No permit is lost, whatever handlers do, and no message has two outcomes.

use proptest::{
    collection::vec,
    prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest},
};

use super::*;

#[derive(Clone, Copy, Debug)]
enum Act {
    Succeed,
    Fail,
    Poison,
    Panic,
    Hang,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Succeed),
        1 => Just(Act::Fail),
        1 => Just(Act::Poison),
        1 => Just(Act::Panic),
        1 => Just(Act::Hang),
    ]
}

async fn perform(act: Act) -> Result<(), Failure> {
    match act {
        Act::Succeed => work_for(Duration::from_millis(rand::random_range(0..100))).await,
        Act::Fail => Err(retry()),
        Act::Poison => Err(poison()),
        Act::Panic => panic!("as scripted"),
        Act::Hang => work_for(seconds(1_000_000)).await,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Each message has an act for each of its three attempts.
    #[test]
    fn permits_are_conserved_and_each_message_is_deleted_or_dead_lettered(
        messages in vec([act(), act(), act()], 1..40),
        room in 1..25_usize,
    ) {
        paused(async {
            let sqs = ScriptedSqs::default();
            for number in 0..messages.len() {
                sqs.send(&number.to_string());
            }
            let narrow = Settings { max_in_flight: room, ..settings() };
            let script = messages.clone();
            let subscription = start(&sqs, narrow, move |notification| {
                let number: usize = notification.message.parse().unwrap();
                let attempt = usize::try_from(notification.attempt).unwrap();
                perform(script[number][attempt - 1])
            })
            .await;
            subscription.until_empty().await;
            let (deleted, dead) = (sqs.deleted(), sqs.dead());
            for (number, acts) in messages.iter().enumerate() {
                let decided = acts.iter().find(|act| matches!(act, Act::Succeed | Act::Poison));
                let succeeds = matches!(decided, Some(Act::Succeed));
                let count_in = |outcome: &[(String, Instant)]| {
                    outcome.iter().filter(|(id, _)| *id == number.to_string()).count()
                };
                assert_eq!(count_in(&deleted), usize::from(succeeds));
                assert_eq!(count_in(&dead), usize::from(!succeeds));
            }
            let permits = Arc::clone(&subscription.worker.permits);
            subscription.end().await;
            assert_eq!(permits.available_permits(), room);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_message_does_not_delay_others_in_a_worker_with_two_permits() {
    let sqs = ScriptedSqs::default();
    sqs.send("slow");
    let few = Settings { max_in_flight: 2, handler_deadline: seconds(600), ..settings() };
    let subscription = start(&sqs, few, async |notification| {
        let slow = notification.message == "slow";
        work_for(if slow { seconds(500) } else { Duration::from_millis(10) }).await
    })
    .await;
    sleep(seconds(1)).await;
    for number in 0..100 {
        sqs.send(&number.to_string());
    }
    sleep(seconds(5)).await;
    assert_eq!(sqs.deleted().len(), 100);
    subscription.end().await;
}
