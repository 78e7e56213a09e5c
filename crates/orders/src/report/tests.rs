//! Reports as they are sent and read, and what a worker's progress becomes.

use std::time::Duration;

use pubsub::testing::TestAccount;
use tokio::time::sleep;

use super::*;
use crate::order::Amount;

fn read(message: &str) -> anyhow::Result<Report> {
    let message = message.to_owned();
    Report::from_message(&Notification { message, ..Notification::default() })
}

fn report(service: &str, step: &str) -> Report {
    Report {
        order_id: OrderId::new(),
        service: service.to_owned(),
        attempt: 2,
        state: State::Done,
        steps: vec![Step { name: step.to_owned(), at: Timestamp::UNIX_EPOCH }],
        attachments: Vec::new(),
    }
}

fn coupon() -> Attachment {
    let label = "20 % off your next order".to_owned();
    Attachment { label, code: Some("K7QD-2MXA-9TRW".to_owned()), link: None }
}

#[test]
fn a_report_is_read_as_it_was_sent_and_nothing_else_is() {
    let report = Report { attachments: vec![coupon()], ..report("promotion", "granted") };
    let sent = report.message().body;
    assert_eq!(read(&sent).ok(), Some(report));

    let without_steps = sent.replace(r#""steps":[{"#, r#""steps":[],"was":[{"#);
    let impossible_time = sent.replace(r#""at":0"#, r#""at":9223372036854775807"#);
    for message in ["", "{", "\"Ada Lovelace\"", &without_steps, &impossible_time] {
        let Err(reason) = read(message) else { panic!("{message} was read") };
        assert!(!format!("{reason:#}").contains("Ada"), "{reason:#}");
    }
}

#[test]
fn a_report_that_would_fill_the_item_of_its_order_is_poison() {
    let long = Attachment { label: "x".repeat(16 * 1024), ..coupon() };
    let sent = Report { attachments: vec![long], ..report("promotion", "granted") }.message().body;
    let reason = read(&sent).unwrap_err().to_string();
    assert!(reason.starts_with("a report has at most 16384 bytes"), "{reason}");
}

#[test]
fn a_coupon_of_version_0_1_0_is_read_as_an_attachment() {
    let report = report("promotion", "granted");
    let sent = report.message().body;
    let old = sent
        .replace(r#""service""#, r#""coupon":{"code":"K7QD-2MXA-9TRW","percent":20},"service""#);
    assert_eq!(read(&old).unwrap().attachments, [coupon()]);
}

#[test]
fn the_type_of_a_report_names_its_latest_step() {
    for (service, step, expected) in [
        ("fulfilment", "started", "order.fulfilment.started"),
        ("fulfilment", "fulfilled", "order.fulfilled"),
        ("fulfilment", "failed", "order.fulfilment.failed"),
        ("promotion", "granted", "order.promotion.granted"),
    ] {
        let attributes = report(service, step).message().attributes;
        let (name, Attribute::Text(event_type)) = &attributes[0] else {
            panic!("not a text: {attributes:?}");
        };
        assert_eq!((*name, event_type.as_str()), (EVENT_TYPE, expected));
    }
}

fn order() -> Order {
    let amount = Amount::from_cents(4_200).unwrap();
    Order { id: OrderId::new(), customer: "Ada Lovelace".parse().unwrap(), amount }
}

fn reports(account: &TestAccount) -> Vec<Report> {
    let published = account.published(STATUS_TOPIC);
    published.iter().map(|message| Report::from_message(message).unwrap()).collect()
}

fn steps(report: &Report) -> Vec<&str> {
    report.steps.iter().map(|step| step.name.as_str()).collect()
}

fn received(attempt: u32, retries: u32) -> Notification {
    Notification { attempt, retries, ..Notification::default() }
}

#[tokio::test(start_paused = true)]
async fn each_report_contains_all_steps_so_far_and_the_last_says_that_it_is_done() {
    let (account, order) = (TestAccount::default(), order());
    let reporter = Reporter::new("packing", account.topic(STATUS_TOPIC));
    let mut progress = reporter.begin(&order, &received(2, 0));
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
    assert_eq!(account.published(STATUS_TOPIC)[0].attributes["event_type"], "order.packing.picked");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_without_being_done_is_reported_as_failed() {
    let account = TestAccount::default();
    let reporter = Reporter::new("packing", account.topic(STATUS_TOPIC));
    drop(reporter.begin(&order(), &received(1, 0)));
    // It is published in the background. Time is paused: it passes when nothing is left to do.
    sleep(Duration::from_secs(1)).await;
    let reports = reports(&account);
    let [failed] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((failed.state, steps(failed)), (State::Failed, vec!["started", "failed"]));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_reported_once_however_often_the_handler_is_called() {
    let account = TestAccount::default();
    let reporter = Reporter::new("packing", account.topic(STATUS_TOPIC));
    for retries in 0..10 {
        drop(reporter.begin(&order(), &received(1, retries)));
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(reports(&account).len(), 1);
}
