//! Outages, as seen by a client and by the endpoint.

use std::time::Duration;

use reqwest::{Client, Response};
use tokio::time::timeout;

use super::{Fixture, SEND};
use crate::proxy::{Broken, Calls, Conditions, Fault, Outage};

/// Longer than an answer takes, for what never comes.
const A_WHILE: Duration = Duration::from_millis(300);

impl Fixture {
    async fn in_outage(outage: Outage) -> Self {
        let fixture = Self::start(Conditions::default()).await;
        fixture.proxy.set_outages(vec![outage]);
        fixture
    }

    async fn sqs(&self, operation: &str, body: &'static str) -> reqwest::Result<Response> {
        let target = format!("AmazonSQS.{operation}");
        Client::new().post(&self.proxy.url).header("X-Amz-Target", target).body(body).send().await
    }

    async fn status(&self, operation: &str, body: &'static str) -> u16 {
        self.sqs(operation, body).await.unwrap().status().as_u16()
    }
}

fn calls(operation: &str, mentions: &str) -> Calls {
    Calls { operation: operation.to_owned(), mentions: mentions.to_owned() }
}

#[tokio::test]
async fn an_outage_meets_the_calls_of_its_operation_and_its_resource_only() {
    let of = vec![calls("SQS.Delete", ""), calls("SQS.Send", "coupons")];
    let fault = Fault::ServerError;
    let fixture = Fixture::in_outage(Outage::Calls { of, fault, percent: 100 }).await;
    assert_eq!(fixture.status("DeleteMessageBatch", "orders").await, 500);
    assert_eq!(fixture.status("SendMessage", "to the coupons").await, 500);
    assert_eq!(fixture.status("SendMessage", "to the orders").await, 200);
    assert_eq!(fixture.status("ReceiveMessage", "coupons").await, 200);
    assert_eq!(fixture.effects(), 2);
    assert_eq!(fixture.proxy.counts().faults, [("server error", 2)].into());

    fixture.proxy.set_outages(Vec::new());
    assert_eq!(fixture.status("DeleteMessageBatch", "orders").await, 200);
}

#[tokio::test]
async fn half_of_the_calls_fail_if_fifty_percent_do() {
    let of = vec![calls(SEND, "")];
    let fault = Fault::Throttle;
    let fixture = Fixture::in_outage(Outage::Calls { of, fault, percent: 50 }).await;
    let mut failed = 0;
    for _ in 0..200 {
        failed += u32::from(fixture.status("SendMessage", "").await == 400);
    }
    // One in a hundred million runs is outside.
    assert!((60..=140).contains(&failed), "{failed} of 200 failed");
}

#[tokio::test]
async fn a_denial_has_the_shape_of_its_service() {
    let fixture = Fixture::in_outage(Outage::of_all_calls(Fault::Denied)).await;
    let sqs = fixture.sqs("SendMessage", "").await.unwrap();
    assert_eq!(sqs.status(), 403);
    assert!(sqs.text().await.unwrap().contains("#AccessDeniedException"));

    let form = [("Action", "Publish"), ("Version", "2010-03-31")];
    let sns = Client::new().post(&fixture.proxy.url).form(&form).send().await.unwrap();
    assert_eq!(sns.status(), 403);
    assert!(sns.text().await.unwrap().contains("<Code>AuthorizationError</Code>"));

    let put = Client::new().post(&fixture.proxy.url);
    let put = put.header("X-Amz-Target", "DynamoDB_20120810.PutItem").send().await.unwrap();
    assert_eq!(put.status(), 400);
    assert!(put.text().await.unwrap().contains("#AccessDeniedException"));
    assert_eq!(fixture.effects(), 0);
}

#[tokio::test]
async fn a_call_that_hangs_gets_no_answer_and_takes_no_effect() {
    let fixture = Fixture::in_outage(Outage::of_all_calls(Fault::Hang)).await;
    assert!(timeout(A_WHILE, fixture.send()).await.is_err());
    fixture.proxy.set_outages(Vec::new());
    assert_eq!(fixture.send().await.unwrap().status(), 200);
    assert_eq!(fixture.effects(), 1);
}

#[tokio::test]
async fn refused_connections_are_accepted_again_at_the_same_port() {
    let fixture = Fixture::start(Conditions::default()).await;
    let client = Client::new();
    let get = || client.get(&fixture.proxy.url).send();
    assert_eq!(get().await.unwrap().text().await.unwrap(), super::BODY);
    fixture.proxy.set_outages(vec![Outage::Connections(Broken::Refused)]);
    // The connection that the client keeps is cut too.
    let refused = async {
        loop {
            match get().await {
                Err(error) if error.is_connect() => break,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    timeout(Duration::from_secs(30), refused).await.unwrap();
    fixture.proxy.set_outages(Vec::new());
    let served = async { while get().await.is_err() {} };
    timeout(Duration::from_secs(30), served).await.unwrap();
}

#[tokio::test]
async fn connections_are_silent_reset_or_slow() {
    let broken = |how| Fixture::in_outage(Outage::Connections(how));
    let fixture = broken(Broken::Silent).await;
    assert!(timeout(A_WHILE, fixture.send()).await.is_err());

    let fixture = broken(Broken::Reset(100)).await;
    let error = format!("{:?}", fixture.send().await.unwrap_err());
    assert!(error.contains("ConnectionReset"), "{error}");
    assert_eq!(fixture.effects(), 0);

    let fixture = broken(Broken::Slow(A_WHILE)).await;
    let started = std::time::Instant::now();
    assert_eq!(fixture.send().await.unwrap().status(), 200);
    assert!(started.elapsed() >= A_WHILE);
}
