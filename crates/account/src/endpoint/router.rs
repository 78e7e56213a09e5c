//! Passes each request to the service that it is for.

use std::{io, sync::Arc};

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, Limited, combinators::BoxBody};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
};
use rustack_sns_core::{
    config::SnsConfig,
    handler::RustackSnsHandler,
    provider::RustackSns,
    publisher::{DeliveryError, SqsPublisher},
};
use rustack_sns_http::{
    dispatch::SnsHandler as _, request::parse_form_params, response::error_to_response as sns_error,
};
use rustack_sqs_core::{config::SqsConfig, handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::{dispatch::SqsHandler as _, response::error_to_response as sqs_error};
use rustack_sqs_model::input::SendMessageInput;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    dynamodb::DynamoDb,
    settings::{ACCOUNT_ID, Settings},
};
use crate::{
    iam::{self, Judge},
    proxy::{Call, Service},
};

/// The most requests that the SNS library handles at a time. It rejects more, so they wait here.
const MAX_CONCURRENT_REQUESTS: usize = 128;

/// The largest request that is read, as that of DynamoDB.
const MAX_REQUEST_BYTES: usize = 16 << 20;

type Body = BoxBody<Bytes, io::Error>;

/// The three services behind the port.
#[derive(Clone)]
pub struct Router {
    judge: Judge,
    dynamodb: DynamoDb,
    sns: Arc<RustackSnsHandler>,
    sqs: Arc<RustackSqsHandler>,
    sns_slots: Arc<Semaphore>,
    place: Arc<str>,
    ending: CancellationToken,
}

impl Router {
    /// Services without tables, topics and queues. Queue URLs contain the public host and `port`.
    /// Once `ending` is cancelled, receiving no longer waits for a message.
    ///
    /// # Errors
    ///
    /// If the database in memory cannot be created.
    pub fn new(
        settings: &Settings,
        port: u16,
        judge: Judge,
        ending: CancellationToken,
    ) -> anyhow::Result<Self> {
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
        let deliveries = Arc::new(Deliveries { judge: judge.clone(), sqs: Arc::clone(&sqs) });
        let sns = Arc::new(RustackSns::new(sns_config, deliveries));
        Ok(Self {
            judge,
            dynamodb: DynamoDb::new(&settings.region)?,
            sns: Arc::new(RustackSnsHandler::new(sns)),
            sqs: Arc::new(RustackSqsHandler::new(sqs)),
            sns_slots: Arc::new(Semaphore::new(MAX_CONCURRENT_REQUESTS)),
            place: format!("{}:{ACCOUNT_ID}", settings.region).into(),
            ending,
        })
    }

    /// The answer to one request. An invalid one gets the error that AWS returns.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = match Limited::new(body, MAX_REQUEST_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return unreadable(&error.to_string()),
        };
        let call = Call::of(&head, &body);
        if let Err(refusal) = self.judge.judge(&head.headers, &call, &body) {
            tracing::debug!("{}", refusal.message());
            return refusal.answer();
        }
        match call.service {
            Service::DynamoDb => {
                let (status, answer) = self.dynamodb.answer(&call.operation, &body);
                json(status, answer)
            }
            Service::Sqs if call.operation == "ReceiveMessage" => {
                let received = self.ending.run_until_cancelled(self.sqs(&head.headers, body));
                received.await.unwrap_or_else(|| json(StatusCode::OK, "{}".into()))
            }
            Service::Sqs => {
                if let Err(error) = self.note_policy(&call, &body) {
                    return bad_policy(&error);
                }
                self.sqs(&head.headers, body).await
            }
            Service::Sns => {
                let _slot = self.sns_slots.acquire().await;
                self.sns(body).await
            }
            Service::Other => unknown(),
        }
    }

    async fn sqs(&self, headers: &HeaderMap, body: Bytes) -> Response<Body> {
        let answer = match rustack_sqs_http::router::resolve_operation(headers) {
            Ok(operation) => self.sqs.handle_operation(operation, body).await,
            Err(error) => Err(error),
        };
        let id = Uuid::new_v4().to_string();
        boxed(answer.unwrap_or_else(|error| sqs_error(&error, &id)))
    }

    async fn sns(&self, body: Bytes) -> Response<Body> {
        let answer = match rustack_sns_http::router::resolve_operation(&parse_form_params(&body)) {
            Ok(operation) => self.sns.handle_operation(operation, body).await,
            Err(error) => Err(error),
        };
        let id = Uuid::new_v4().to_string();
        boxed(answer.unwrap_or_else(|error| sns_error(&error, &id)))
    }

    /// Lets the judge know the policy of a queue that is created or changed.
    fn note_policy(&self, call: &Call, body: &[u8]) -> anyhow::Result<()> {
        if !["CreateQueue", "SetQueueAttributes"].contains(&&*call.operation) {
            return Ok(());
        }
        let request: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(policy) = request["Attributes"]["Policy"].as_str() else { return Ok(()) };
        let asked = iam::asked(call, body, &self.place);
        asked.iter().try_for_each(|it| self.judge.set_queue_policy(&it.resource, policy))
    }
}

fn boxed<B>(response: Response<B>) -> Response<Body>
where
    B: hyper::body::Body<Data = Bytes, Error = io::Error> + Send + Sync + 'static,
{
    response.map(BodyExt::boxed)
}

/// The answer of AWS to an operation that does not exist.
fn unknown() -> Response<Body> {
    const MESSAGE: &str = "Neither X-Amz-Target nor a form names an operation that exists here";
    error("UnknownOperationException", MESSAGE)
}

fn unreadable(why: &str) -> Response<Body> {
    error("SerializationException", why)
}

fn bad_policy(why: &anyhow::Error) -> Response<Body> {
    let message = format!("Invalid value for the parameter Policy. Reason: {why:#}");
    error("com.amazonaws.sqs#InvalidAttributeValue", &message)
}

fn error(code: &str, message: &str) -> Response<Body> {
    let body = serde_json::json!({"__type": code, "message": message}).to_string();
    json(StatusCode::BAD_REQUEST, body.into())
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
    judge: Judge,
    sqs: Arc<RustackSqs>,
}

/// The envelope of a message.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    topic_arn: String,
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
        let topic = serde_json::from_str(message_body).map(|it: Envelope| it.topic_arn).ok();
        if !self.judge.may_deliver(topic.as_deref(), queue_arn) {
            let reason = "the policy of the queue does not allow it";
            // AWS says nothing, and the message is lost. On a laptop, somebody may wonder.
            tracing::warn!(?topic, queue = queue_arn, "a message is lost: {reason}");
            return Err(failed(queue_arn, reason));
        }
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
