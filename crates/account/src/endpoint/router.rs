//! Passes each request to the service that it is for.

use std::{io, sync::Arc};

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    service::Service as _,
};
use rustack_sns_core::{
    config::SnsConfig,
    handler::RustackSnsHandler,
    provider::RustackSns,
    publisher::{DeliveryError, SqsPublisher},
};
use rustack_sns_http::service::{SnsHttpConfig, SnsHttpService};
use rustack_sqs_core::{config::SqsConfig, handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::service::{SqsHttpConfig, SqsHttpService};
use rustack_sqs_model::input::SendMessageInput;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    dynamodb::DynamoDb,
    settings::{ACCOUNT_ID, Settings},
};

/// The most requests that the SNS library handles at a time. It rejects more, so they wait here.
const MAX_CONCURRENT_REQUESTS: usize = 128;

type Body = BoxBody<Bytes, io::Error>;

/// The three services behind the port.
#[derive(Clone)]
pub struct Router {
    dynamodb: DynamoDb,
    sns: SnsHttpService<RustackSnsHandler>,
    sqs: SqsHttpService<RustackSqsHandler>,
    sns_slots: Arc<Semaphore>,
    ending: CancellationToken,
}

impl Router {
    /// Services without tables, topics and queues. Queue URLs contain the public host and `port`.
    /// Once `ending` is cancelled, receiving no longer waits for a message.
    ///
    /// # Errors
    ///
    /// If the database in memory cannot be created.
    pub fn new(settings: &Settings, port: u16, ending: CancellationToken) -> anyhow::Result<Self> {
        let sqs = Arc::new(RustackSqs::new(SqsConfig {
            default_region: settings.region.clone(),
            account_id: ACCOUNT_ID.to_owned(),
            host: settings.public_host.clone(),
            port,
            ..SqsConfig::default()
        }));
        let sns_config = SnsConfig {
            default_region: settings.region.clone(),
            account_id: ACCOUNT_ID.to_owned(),
            host: settings.public_host.clone(),
            port,
            ..SnsConfig::default()
        };
        let deliveries = Arc::new(Deliveries { sqs: Arc::clone(&sqs) });
        let sns = Arc::new(RustackSns::new(sns_config, deliveries));
        Ok(Self {
            dynamodb: DynamoDb::new()?,
            sns: SnsHttpService::new(
                Arc::new(RustackSnsHandler::new(sns)),
                SnsHttpConfig::default(),
            ),
            sqs: SqsHttpService::new(
                Arc::new(RustackSqsHandler::new(sqs)),
                SqsHttpConfig::default(),
            ),
            sns_slots: Arc::new(Semaphore::new(MAX_CONCURRENT_REQUESTS)),
            ending,
        })
    }

    /// The answer to one request. An invalid one gets the error that AWS returns.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let target = header(&request, "x-amz-target");
        let form = header(&request, CONTENT_TYPE.as_str())
            .starts_with("application/x-www-form-urlencoded");
        if target.starts_with("DynamoDB_") {
            let operation =
                target.split_once('.').map_or("", |(_, operation)| operation).to_owned();
            let (status, answer) = self.dynamodb.answer(&operation, request.into_body()).await;
            json(status, answer)
        } else if target == "AmazonSQS.ReceiveMessage" {
            let received = self.ending.run_until_cancelled(self.sqs.call(request));
            received.await.map_or_else(|| json(StatusCode::OK, "{}".into()), boxed)
        } else if target.starts_with("AmazonSQS.") {
            boxed(self.sqs.call(request).await)
        } else if form {
            let _slot = self.sns_slots.acquire().await;
            boxed(self.sns.call(request).await)
        } else {
            unknown()
        }
    }
}

fn header<'a>(request: &'a Request<Incoming>, name: &str) -> &'a str {
    (request.headers().get(name)).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn boxed<B>(answer: Result<Response<B>, std::convert::Infallible>) -> Response<Body>
where
    B: hyper::body::Body<Data = Bytes, Error = io::Error> + Send + Sync + 'static,
{
    let Ok(response) = answer;
    response.map(BodyExt::boxed)
}

/// The answer of AWS to an operation that does not exist.
fn unknown() -> Response<Body> {
    const ANSWER: &str = r#"{
        "__type": "UnknownOperationException",
        "message": "Neither X-Amz-Target nor a form names an operation that exists here"
    }"#;
    json(StatusCode::BAD_REQUEST, ANSWER.into())
}

fn json(status: StatusCode, text: Bytes) -> Response<Body> {
    let body = Full::new(text);
    let mut response = Response::new(body.map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    response
}

/// Puts the messages that SNS delivers into the queues.
struct Deliveries {
    sqs: Arc<RustackSqs>,
}

#[async_trait]
impl SqsPublisher for Deliveries {
    fn validate(&self, queue_arn: &str) -> Result<(), DeliveryError> {
        self.sqs.queue_url_for_arn(queue_arn).map(drop).map_err(|error| failed(queue_arn, error))
    }

    async fn send_message(
        &self,
        queue_arn: &str,
        message_body: &str,
        message_group_id: Option<&str>,
        message_deduplication_id: Option<&str>,
    ) -> Result<(), DeliveryError> {
        let queue_url =
            (self.sqs.queue_url_for_arn(queue_arn)).map_err(|error| failed(queue_arn, error))?;
        let message = SendMessageInput {
            queue_url,
            message_body: message_body.to_owned(),
            message_group_id: message_group_id.map(str::to_owned),
            message_deduplication_id: message_deduplication_id.map(str::to_owned),
            ..SendMessageInput::default()
        };
        self.sqs.send_message(message).await.map(drop).map_err(|error| failed(queue_arn, error))
    }
}

fn failed(queue_arn: &str, error: impl std::fmt::Display) -> DeliveryError {
    DeliveryError::SqsDeliveryFailed { queue_arn: queue_arn.to_owned(), reason: error.to_string() }
}
