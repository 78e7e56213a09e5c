//! What a worker reports, as subscribers of its topic receive it.

use std::time::Duration;

use orders::{
    order::{Amount, Order, OrderId},
    report::{Attachment, Report, Reporter, State},
};
use pubsub::{subscribe::FromMessage as _, testing::TestAccount};
use tokio::time::sleep;

const TOPIC: &str = "orderStatus";

fn order() -> Order {
    let amount = Amount::from_cents(4_200).unwrap();
    Order { id: OrderId::new(), customer: "Ada Lovelace".parse().unwrap(), amount }
}

fn reports(account: &TestAccount) -> Vec<Report> {
    let published = account.published(TOPIC);
    published.iter().map(|message| Report::from_message(message).unwrap()).collect()
}

fn steps(report: &Report) -> Vec<&str> {
    report.steps.iter().map(|step| step.name.as_str()).collect()
}

fn coupon() -> Attachment {
    Attachment { label: "A coupon".to_owned(), code: Some("K7QD".to_owned()), link: None }
}

#[tokio::test(start_paused = true)]
async fn each_report_contains_all_steps_so_far_and_the_last_says_that_it_is_done() {
    let (account, order) = (TestAccount::default(), order());
    let reporter = Reporter::new("packing", account.topic(TOPIC));
    let mut progress = reporter.begin(&order, 2);
    progress.note("picked");
    progress.publish().await;
    progress.done("packed", vec![coupon()]).await.unwrap();

    let reports = reports(&account);
    let [working, done] = &reports[..] else { panic!("{reports:?}") };
    for report in [working, done] {
        assert_eq!((report.order_id, report.service.as_str()), (order.id, "packing"));
        assert_eq!(report.attempt, 2);
        assert_eq!(report.started_at(), report.steps[0].at);
    }
    assert_eq!((working.state, steps(working)), (State::Working, vec!["started", "picked"]));
    assert_eq!((done.state, steps(done)), (State::Done, vec!["started", "picked", "packed"]));
    assert_eq!((&working.attachments[..], &done.attachments[..]), (&[][..], &[coupon()][..]));
    assert_eq!(account.published(TOPIC)[0].attributes["event_type"], "order.packing.picked");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_without_being_done_is_reported_as_failed() {
    let account = TestAccount::default();
    let reporter = Reporter::new("packing", account.topic(TOPIC));
    drop(reporter.begin(&order(), 1));
    // It is published in the background. Time is paused: it passes when nothing is left to do.
    sleep(Duration::from_secs(1)).await;
    let reports = reports(&account);
    let [failed] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((failed.state, steps(failed)), (State::Failed, vec!["started", "failed"]));
}
