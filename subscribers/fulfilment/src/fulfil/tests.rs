//! Messages in, reports out, with the real runtime and without AWS.

use orders::{
    event,
    examples::EXAMPLES,
    order::{Amount, OrderId},
    report::{Report, STATUS_TOPIC, State},
};
use pubsub::{
    subscribe::{FromMessage as _, UnknownType},
    testing::{Attempt, Delivered, TestAccount, TestWorker, message},
};

use super::*;

async fn start(account: &TestAccount, pace: Duration) -> TestWorker {
    let reporter = Reporter::new("fulfilment", account.topic(STATUS_TOPIC));
    account.start(Fulfilment { reporter, pace, banner: true }).await
}

fn reports(account: &TestAccount) -> Vec<Report> {
    let published = account.published(STATUS_TOPIC);
    published.iter().map(|message| Report::from_message(message).unwrap()).collect()
}

fn order() -> Order {
    Order {
        id: OrderId::new(),
        customer: "Ada Lovelace".parse().unwrap(),
        amount: Amount::from_cents(7_999).unwrap(),
    }
}

fn steps(report: &Report) -> Vec<&str> {
    report.steps.iter().map(|step| step.name.as_str()).collect()
}

fn acknowledged_at_once() -> Delivered {
    Delivered { attempts: vec![Attempt::Succeeded], acknowledged: true }
}

#[tokio::test(start_paused = true)]
async fn an_order_is_reported_as_fulfilled_with_all_steps_in_one_message() {
    let (account, order) = (TestAccount::default(), order());
    let worker = start(&account, Duration::ZERO).await;
    let delivered = worker.deliver(event::order_placed(&order)).await;
    assert_eq!(delivered, acknowledged_at_once());
    let reports = reports(&account);
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!((reports[0].order_id, reports[0].attempt), (order.id, 1));
    assert_eq!(reports[0].state, State::Done);
    assert_eq!(steps(&reports[0]), ["started", "picked", "packed", "shipped", "fulfilled"]);
}

#[tokio::test(start_paused = true)]
async fn with_a_pace_each_step_is_reported_when_it_is_reached() {
    let account = TestAccount::default();
    let worker = start(&account, Duration::from_secs(1)).await;
    worker.deliver(event::order_placed(&order())).await;
    let counts: Vec<_> = reports(&account).iter().map(|report| report.steps.len()).collect();
    assert_eq!(counts, [1, 2, 3, 5]);
}

#[tokio::test(start_paused = true)]
async fn an_order_is_retried_until_its_completion_is_reported() {
    let account = TestAccount::default();
    let worker = start(&account, Duration::ZERO).await;
    // The client sends a request up to three times.
    account.fail_publishing(3);
    let delivered = worker.deliver(event::order_placed(&order())).await;
    let [Attempt::Unavailable(reason), Attempt::Succeeded] = &delivered.attempts[..] else {
        panic!("{delivered:?}");
    };
    assert!(reason.starts_with("reporting completion: "), "{reason}");
    // SNS may have taken the first report, so it is not followed by one of a failure.
    let reports = reports(&account);
    assert_eq!(
        reports.iter().map(|it| (it.attempt, it.state)).collect::<Vec<_>>(),
        [(1, State::Done)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_not_reported() {
    let account = TestAccount::default();
    let worker = start(&account, Duration::ZERO).await;
    let delivered = worker.deliver(event::ping("Hello!".to_owned(), "abcde".to_owned())).await;
    assert_eq!(delivered, acknowledged_at_once());
    assert_eq!(reports(&account), []);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_an_order_is_poison() {
    let account = TestAccount::default();
    let delivered = start(&account, Duration::ZERO).await.deliver(message("{")).await;
    assert!(matches!(delivered.attempts[..], [Attempt::Poison(_)]), "{delivered:?}");
    assert!(!delivered.acknowledged);
    assert_eq!(reports(&account), []);
}

#[test]
fn a_name_that_the_font_lacks_is_shown_as_it_is() {
    assert!(large(&"Ada".parse().unwrap()).lines().count() > 1);
    assert_eq!(large(&"\u{4e2d}\u{6587}".parse().unwrap()), "\u{4e2d}\u{6587}");
}

#[tokio::test]
async fn every_message_that_was_ever_sent_is_handled_or_is_no_concern() {
    let account = TestAccount::default();
    let reporter = Reporter::new("fulfilment", account.topic(STATUS_TOPIC));
    let handler = Fulfilment { reporter, pace: Duration::ZERO, banner: false };
    for example in EXAMPLES {
        let received = example.notification();
        match Event::from_message(&received) {
            Ok(event) => handler.handle(event, received).await.unwrap(),
            Err(error) => {
                assert!(error.is::<UnknownType>(), "{}: {error:#}", example.file);
                assert!(!["order.placed", "ping"].contains(&example.event), "{}", example.file);
            }
        }
    }
}
