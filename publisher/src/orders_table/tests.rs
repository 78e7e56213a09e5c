//! A call whose answer is lost may have happened.

mod golden;

mod shards;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
};
use jiff::Timestamp;
use orders::{
    examples::EXAMPLES,
    order::{Order, OrderId},
    payment::News,
    report::{Report, State, Step},
};

use outbox::FIRST_LEASE;
use pubsub::subscribe::FromMessage as _;

use super::Stored;
use crate::test_account::TestAccount;

/// A configuration that loses the answer to one call, which takes effect.
fn losing(aws: &SdkConfig) -> SdkConfig {
    let (client, is_lost) = (aws.http_client().unwrap(), Arc::new(AtomicBool::new(false)));
    let http = http_client_fn(move |settings, components| {
        let http = client.http_connector(settings, components);
        SharedHttpConnector::new(LosingConnector { http, is_lost: Arc::clone(&is_lost) })
    });
    aws.to_builder().http_client(http).build()
}

#[derive(Debug)]
struct LosingConnector {
    http: SharedHttpConnector,
    is_lost: Arc<AtomicBool>,
}

impl HttpConnector for LosingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (http, is_lost) = (self.http.clone(), Arc::clone(&self.is_lost));
        HttpConnectorFuture::new(async move {
            let answer = http.call(request).await?;
            if is_lost.swap(true, Ordering::SeqCst) {
                Ok(answer)
            } else {
                let reset = io::Error::from(io::ErrorKind::ConnectionReset);
                Err(ConnectorError::io(reset.into()))
            }
        })
    }
}

fn order() -> Order {
    Order {
        id: OrderId::new(),
        customer: "Ada Lovelace".parse().unwrap(),
        amount: "80".parse().unwrap(),
    }
}

fn report(order: &Order, state: State, steps: &[&str]) -> Report {
    let at = Timestamp::UNIX_EPOCH;
    Report {
        order_id: order.id,
        service: "fulfilment".to_owned(),
        attempt: 1,
        state,
        steps: steps.iter().map(|name| Step { name: (*name).to_owned(), at }).collect(),
        attachments: Vec::new(),
    }
}

#[tokio::test]
async fn a_new_order_is_new_although_the_answer_of_dynamodb_was_lost() {
    let account = TestAccount::start().await;
    let order = order();
    let orders = account.orders(&losing(&account.aws));
    let lease = 4 * FIRST_LEASE;
    let stored = orders.store(&order, lease).await.unwrap();
    let Stored::New(placed) = stored else { panic!("{stored:?}") };
    assert_eq!(placed.due_at, Some(placed.placed_at + lease));
    let stored = account.orders(&account.aws).store(&order, FIRST_LEASE).await.unwrap();
    let Stored::Again(stored) = stored else { panic!("{stored:?}") };
    assert_eq!(stored, placed);
}

#[tokio::test]
async fn a_report_of_a_failure_does_not_replace_that_of_completion() {
    let account = TestAccount::start().await;
    let (orders, order) = (account.orders(&account.aws), order());
    orders.store(&order, FIRST_LEASE).await.unwrap();
    let done = report(&order, State::Done, &["started", "fulfilled"]);
    let failed = report(&order, State::Failed, &["started", "fulfilled", "failed"]);
    assert!(orders.project(&done).await.unwrap().is_some());
    assert!(orders.project(&failed).await.unwrap().is_none());
    let placed = orders.get(order.id).await.unwrap().unwrap();
    assert_eq!(placed.reports, [done]);
}

#[tokio::test]
async fn an_order_leaves_the_outbox_when_all_services_that_it_needs_have_begun() {
    let account = TestAccount::start().await;
    let steps = &["started"];
    for done_when in [&["fulfilment"][..], &["fulfilment", "invoice"]] {
        let orders = account.orders_done_when(&account.aws, done_when);
        let order = order();
        orders.store(&order, FIRST_LEASE).await.unwrap();
        let other =
            Report { service: "promotion".to_owned(), ..report(&order, State::Done, steps) };
        orders.project(&other).await.unwrap();
        for (order_of, service) in done_when.iter().enumerate() {
            let item = account.item(order.id).await.unwrap();
            assert!(item.contains_key("outbox"), "{done_when:?}: left at report {order_of}");
            let service = (*service).to_owned();
            let begun = Report { service, ..report(&order, State::Working, steps) };
            orders.project(&begun).await.unwrap();
        }
        let item = account.item(order.id).await.unwrap();
        assert!(!item.contains_key("outbox") && !item.contains_key("outbox_due"), "{item:?}");
    }
}

#[tokio::test]
async fn only_an_order_that_is_done_expires() {
    let account = TestAccount::start().await;
    for done_when in [&["fulfilment"][..], &["fulfilment", "invoice"]] {
        let orders = account.orders_done_when(&account.aws, done_when);
        let order = order();
        orders.store(&order, FIRST_LEASE).await.unwrap();
        for (service, state) in done_when.iter().flat_map(|service| {
            [State::Working, State::Failed, State::Done].map(|state| (*service, state))
        }) {
            let item = account.item(order.id).await.unwrap();
            assert!(!item.contains_key("expires_at"), "{done_when:?}: before {service} {state:?}");
            let steps: &[&str] = if state == State::Working { &["a"] } else { &["a", "b", "c"] };
            let attempt = if state == State::Done { 2 } else { 1 };
            let service = service.to_owned();
            let report = Report { service, attempt, ..report(&order, state, steps) };
            orders.project(&report).await.unwrap();
        }
        let item = account.item(order.id).await.unwrap();
        let expires_at = item["expires_at"].as_n().unwrap().parse::<i64>().unwrap();
        let days = (expires_at - Timestamp::now().as_second()) / (24 * 60 * 60);
        assert!((89..=90).contains(&days), "{done_when:?}: in {days} days");
    }
}

#[tokio::test]
async fn only_the_report_that_completes_an_order_says_how_long_it_took() {
    let account = TestAccount::start().await;
    let orders = account.orders_done_when(&account.aws, &["fulfilment", "invoice"]);
    let order = order();
    let Stored::New(placed) = orders.store(&order, FIRST_LEASE).await.unwrap() else {
        panic!("it is new");
    };
    let took = Duration::from_secs(3);
    let at = placed.placed_at + took;
    for (service, attempt, state, expected) in [
        ("fulfilment", 1, State::Done, None),
        ("promotion", 1, State::Done, None),
        ("invoice", 1, State::Working, None),
        ("invoice", 2, State::Done, Some(took)),
        ("promotion", 2, State::Done, None),
        ("invoice", 3, State::Working, None),
    ] {
        let steps = vec![Step { name: "begun".to_owned(), at }];
        let service = service.to_owned();
        let report = Report { service, steps, attempt, ..report(&order, state, &[]) };
        let placed = orders.project(&report).await.unwrap().unwrap();
        assert_eq!(placed.completed_by(&report), expected, "{report:?}");
    }
}

#[tokio::test]
async fn a_report_on_an_order_that_has_expired_changes_nothing() {
    let account = TestAccount::start().await;
    let orders = account.orders(&account.aws);
    let late = report(&order(), State::Done, &["started", "fulfilled"]);
    assert!(orders.project(&late).await.unwrap().is_none());
    assert!(account.items().await.is_empty(), "it made an order of a report");
}

#[tokio::test]
async fn every_payment_that_was_ever_announced_is_projected() {
    let account = TestAccount::start().await;
    let orders = account.orders(&account.aws);
    for example in EXAMPLES.iter().filter(|example| example.event == "payment") {
        let order = order();
        orders.store(&order, FIRST_LEASE).await.unwrap();
        let News::Payment(mut event) = News::from_message(&example.notification()).unwrap() else {
            panic!("{}", example.file);
        };
        event.data.order_id = order.id;
        let placed = orders.pay(&event).await.unwrap();
        assert_eq!(placed.unwrap().payments, [event], "{}", example.file);
    }
}

#[tokio::test]
async fn every_report_that_was_ever_sent_is_projected() {
    let account = TestAccount::start().await;
    let orders = account.orders(&account.aws);
    for example in EXAMPLES.iter().filter(|example| example.event == "order.reported") {
        let order = order();
        orders.store(&order, FIRST_LEASE).await.unwrap();
        let report = Report::from_message(&example.notification()).unwrap();
        let report = Report { order_id: order.id, ..report };
        let placed = orders.project(&report).await.unwrap();
        assert_eq!(placed.unwrap().reports, [report], "{}", example.file);
    }
}
