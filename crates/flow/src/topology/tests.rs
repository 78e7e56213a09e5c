//! What is shown of a topic's subscriptions, by a scripted SNS and SQS.

use std::collections::HashMap;

use aws_config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;

use super::*;

const FILTER: &str = r#"{"amount":[{"numeric":[">=",80]}]}"#;

/// An account whose topic has these subscriptions: protocol, endpoint, ARN.
#[derive(Clone, Debug)]
struct Scripted(&'static [(&'static str, &'static str, &'static str)]);

impl Scripted {
    async fn lanes(&self) -> Vec<Lane> {
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let account = self.clone();
        let http = http_client_fn(move |_, _| SharedHttpConnector::new(account.clone()));
        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .http_client(http)
            .build();
        Topology::new(&aws, "arn:topic".to_owned(), QueueNames::default(), None)
            .lanes()
            .await
            .unwrap()
    }

    fn sns(&self, form: &[u8]) -> (u16, String) {
        let fields: HashMap<_, _> = form_urlencoded::parse(form).collect();
        if fields["Action"] == "ListSubscriptionsByTopic" {
            let member = |(protocol, endpoint, arn): &(&str, &str, &str)| {
                format!(
                    "<member><SubscriptionArn>{arn}</SubscriptionArn><Protocol>{protocol}\
                     </Protocol><Endpoint>{endpoint}</Endpoint></member>"
                )
            };
            let members: String = self.0.iter().map(member).collect();
            return (200, response("ListSubscriptionsByTopic", "Subscriptions", &members));
        }
        if fields["SubscriptionArn"] == "PendingConfirmation" {
            let error = "<ErrorResponse><Error><Code>InvalidParameter</Code></Error>\
                </ErrorResponse>";
            return (400, error.to_owned());
        }
        let entry = format!("<entry><key>FilterPolicy</key><value>{FILTER}</value></entry>");
        (200, response("GetSubscriptionAttributes", "Attributes", &entry))
    }
}

fn response(action: &str, list: &str, content: &str) -> String {
    format!(
        "<{action}Response><{action}Result><{list}>{content}</{list}></{action}Result>\
         </{action}Response>"
    )
}

fn sqs(operation: &str) -> String {
    match operation {
        "GetQueueUrl" => r#"{"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/1/queue"}"#,
        _ => r#"{"Attributes":{"ApproximateNumberOfMessages":"7"}}"#,
    }
    .to_owned()
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let account = self.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("X-Amz-Target").unwrap_or_default().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let (status, answer) = match target.rsplit('.').next() {
                Some("") | None => account.sns(&body),
                Some(operation) => (200, sqs(operation)),
            };
            Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer)))
        })
    }
}

#[tokio::test]
async fn nothing_is_shown_of_subscriptions_that_are_not_queues() {
    let account = Scripted(&[
        ("email", "ada@example.com", "arn:1"),
        ("sqs", "arn:aws:sqs:eu-west-1:1:promotion", "arn:2"),
        ("sms", "+15550100", "arn:3"),
        ("https", "https://hook.example/secret", "arn:4"),
        ("email", "bob@example.com", "PendingConfirmation"),
    ]);
    let lanes = account.lanes().await;
    assert_eq!(lanes.len(), 1, "{lanes:?}");
    assert_eq!((lanes[0].service.as_str(), lanes[0].filter.as_str()), ("promotion", FILTER));
    assert_eq!(lanes[0].depth.unwrap().waiting, 7);
}

#[tokio::test]
async fn a_subscription_that_cannot_be_read_costs_only_its_own_filter() {
    let account = Scripted(&[
        ("sqs", "arn:aws:sqs:eu-west-1:1:fulfilment", "PendingConfirmation"),
        ("sqs", "arn:aws:sqs:eu-west-1:1:promotion", "arn:2"),
    ]);
    let lanes = account.lanes().await;
    let shown = lanes.iter().map(|it| (it.service.as_str(), it.filter.as_str()));
    assert_eq!(shown.collect::<Vec<_>>(), [("fulfilment", ""), ("promotion", FILTER)]);
    assert!(lanes.iter().all(|it| it.depth.is_some()), "{lanes:?}");
}

#[test]
fn a_queue_is_named_after_its_service_or_shown_by_its_own_name() {
    let names: QueueNames = "pubsub-test-{service}-EventsQueue".parse().unwrap();
    for (queue, service) in [
        ("pubsub-test-promotion-EventsQueue", "promotion"),
        ("pubsub-test-data-lake-EventsQueue-1X2Y3Z", "data-lake"),
        ("audit", "audit"),
        ("pubsub-prod-promotion-EventsQueue", "pubsub-prod-promotion-EventsQueue"),
    ] {
        assert_eq!(names.service(queue), service);
    }
    assert_eq!(QueueNames::default().service("invoice"), "invoice");
    assert!("no place".parse::<QueueNames>().is_err());
}

#[test]
fn the_service_that_keeps_events_is_known_by_the_name_of_its_table() {
    let names: QueueNames = "shop-test-{service}-EventsQueue".parse().unwrap();
    let table = "shop-test-history-eventsTable";
    assert!(names.is_of(table, "history"));
    for other in ["promotion", "histor", "history-events", ""] {
        assert!(!names.is_of(table, other), "{other}");
    }
}
