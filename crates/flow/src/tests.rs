//! What the picture shows of an account, and what that costs, by a scripted SNS and SQS.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use super::*;

mod cost;

mod lanes;

const FILTER: &str = r#"{"amount":[{"numeric":[">=",80]}]}"#;
/// Two workers, and one that takes everything, as in the sample.
const WORKERS: Subscriptions = &[
    ("sqs", "arn:aws:sqs:eu-west-1:1:fulfilment", "arn:1"),
    ("sqs", "arn:aws:sqs:eu-west-1:1:promotion", "arn:2"),
    ("sqs", "arn:aws:sqs:eu-west-1:1:history", "arn:3"),
];
/// Webhooks go to the queue of the publisher, and to the one that takes everything.
const OF_WEBHOOKS: Subscriptions = &[
    ("sqs", "arn:aws:sqs:eu-west-1:1:status", "arn:4"),
    ("sqs", "arn:aws:sqs:eu-west-1:1:history", "arn:5"),
];

/// Protocol, endpoint and ARN of each.
type Subscriptions = &'static [(&'static str, &'static str, &'static str)];

/// An account with two topics, whose requests are counted.
#[derive(Clone, Debug)]
struct Scripted {
    orders: Subscriptions,
    webhooks: Subscriptions,
    requests: Arc<AtomicUsize>,
}

impl Scripted {
    fn new(orders: Subscriptions, webhooks: Subscriptions) -> Self {
        Self { orders, webhooks, requests: Arc::default() }
    }

    fn flow(&self) -> Flow {
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
        Flow::new(&aws, "arn:orders".to_owned(), QueueNames::default(), None)
            .with_payments("arn:webhooks".to_owned(), "https://sqs.example/1/status")
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
            let of_orders = fields["TopicArn"] == "arn:orders";
            let listed = if of_orders { self.orders } else { self.webhooks };
            let members: String = listed.iter().map(member).collect();
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

/// Seven messages wait in each queue, and as many are its dead letters.
fn sqs(operation: &str, body: &Value) -> String {
    let answer = if operation == "GetQueueUrl" {
        let name = body["QueueName"].as_str().unwrap();
        json!({"QueueUrl": format!("https://sqs.eu-west-1.amazonaws.com/1/{name}")})
    } else {
        let mut attributes = json!({"ApproximateNumberOfMessages": "7"});
        let name = body["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).unwrap();
        if !name.ends_with("-dead") {
            let arn = format!("arn:aws:sqs:eu-west-1:1:{name}-dead");
            let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 3});
            attributes["RedrivePolicy"] = policy.to_string().into();
        }
        json!({"Attributes": attributes})
    };
    answer.to_string()
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let account = self.clone();
        HttpConnectorFuture::new(async move {
            account.requests.fetch_add(1, Ordering::SeqCst);
            let target = request.headers().get("X-Amz-Target").unwrap_or_default().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let (status, answer) = match target.rsplit('.').next() {
                Some("") | None => account.sns(&body),
                Some(operation) => (200, sqs(operation, &serde_json::from_slice(&body).unwrap())),
            };
            Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer)))
        })
    }
}

/// An order that waits for fulfilment.
fn order(id: &str, version: u64) -> Moving {
    let station = orders::timeline::Station {
        name: "fulfilment".to_owned(),
        state: orders::timeline::Phase::Waiting,
        word: String::new(),
        at: None,
        attempts: Vec::new(),
        attachments: Vec::new(),
    };
    Moving {
        id: id.to_owned(),
        placed_at: Timestamp::now(),
        version,
        amount: "42.00".to_owned(),
        announced: version > 1,
        stations: vec![station],
    }
}

/// The picture as a program gets it, with the orders that are read now.
async fn seen(flow: &Flow, read: &[Moving]) -> Value {
    let read = read.to_vec();
    let picture = flow.picture(|| async { Ok(read) }, 5).await.unwrap();
    serde_json::to_value(picture).unwrap()
}
