//! Messages in, reports out, on an AWS account in this process.

use std::path::Path;

use account::embedded::EmbeddedAccount;
use orders::{
    event,
    order::{Amount, OrderId},
    report::{Report, STATUS_TOPIC, State},
};
use pubsub::topic::{Attribute, Topic};

use super::*;

/// Fulfilment, and the queue that its reports go to.
struct Fixture {
    fulfilment: Fulfilment,
    sqs: aws_sdk_sqs::Client,
    reports_url: String,
    _account: EmbeddedAccount,
}

impl Fixture {
    async fn new(pace: Duration) -> Self {
        let copilot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
        let account = EmbeddedAccount::of_files(&copilot).await.unwrap();
        let aws = account.target.config().await;
        let service = |name| account.account.service(name).unwrap();
        let topic = service("fulfilment").topic_arn(STATUS_TOPIC).unwrap();
        let topic = Topic::new(&aws, topic.to_owned());
        Self {
            fulfilment: Fulfilment {
                reporter: Reporter::new("fulfilment", topic),
                pace,
                banner: false,
            },
            sqs: aws_sdk_sqs::Client::new(&aws),
            reports_url: service("publisher").variable("STATUS_QUEUE_URL").unwrap().to_owned(),
            _account: account,
        }
    }

    /// The reports so far, in the order in which they arrived.
    async fn reports(&self) -> Vec<Report> {
        let receive = self.sqs.receive_message().queue_url(&self.reports_url);
        let received = receive.max_number_of_messages(10).send().await.unwrap();
        let bodies = received.messages().iter().filter_map(|message| message.body());
        let read = |body: &str| {
            Report::read(&Notification::read(body.to_owned(), "", Default::default(), 1)).unwrap()
        };
        bodies.map(read).collect()
    }
}

fn order() -> Order {
    Order {
        id: OrderId::new(),
        customer: "Ada Lovelace".parse().unwrap(),
        amount: Amount::from_cents(7_999).unwrap(),
    }
}

/// A published message, as a subscriber receives it.
fn received(message: pubsub::topic::Message) -> Notification {
    let attributes = message.attributes.into_iter().map(|(name, value)| match value {
        Attribute::Text(value) | Attribute::Number(value) => (name.to_owned(), value),
    });
    Notification {
        message: message.body,
        attributes: attributes.collect(),
        attempt: 2,
        ..Notification::default()
    }
}

fn steps(report: &Report) -> Vec<&str> {
    report.steps.iter().map(|step| step.name.as_str()).collect()
}

#[tokio::test]
async fn an_order_is_reported_as_fulfilled_with_all_steps_in_one_message() {
    let fixture = Fixture::new(Duration::ZERO).await;
    let order = order();
    fixture.fulfilment.clone().handle(received(event::order_placed(&order))).await.unwrap();
    let reports = fixture.reports().await;
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!((reports[0].order_id, reports[0].attempt), (order.id, 2));
    assert_eq!(reports[0].state, State::Done);
    assert_eq!(steps(&reports[0]), ["started", "picked", "packed", "shipped", "fulfilled"]);
}

#[tokio::test]
async fn with_a_pace_each_step_is_reported_when_it_is_reached() {
    let fixture = Fixture::new(Duration::from_millis(1)).await;
    fixture.fulfilment.clone().handle(received(event::order_placed(&order()))).await.unwrap();
    let reports = fixture.reports().await;
    let mut counts: Vec<_> = reports.iter().map(|report| report.steps.len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 3, 5], "{reports:?}");
}

#[tokio::test]
async fn a_ping_is_not_reported() {
    let fixture = Fixture::new(Duration::ZERO).await;
    let ping = event::ping("Hello!".to_owned(), "abcde".to_owned());
    fixture.fulfilment.clone().handle(received(ping)).await.unwrap();
    assert_eq!(fixture.reports().await, []);
}

#[tokio::test]
async fn a_message_that_is_not_an_order_is_poison() {
    let fixture = Fixture::new(Duration::ZERO).await;
    let broken = Notification { message: "{".to_owned(), ..Notification::default() };
    let outcome = fixture.fulfilment.clone().handle(broken).await;
    assert!(matches!(outcome, Err(Failure::Poison(_))), "{outcome:?}");
    assert_eq!(fixture.reports().await, []);
}

#[test]
fn a_name_that_the_font_lacks_is_shown_as_it_is() {
    assert!(large(&"Ada".parse().unwrap()).lines().count() > 1);
    assert_eq!(large(&"\u{4e2d}\u{6587}".parse().unwrap()), "\u{4e2d}\u{6587}");
}
