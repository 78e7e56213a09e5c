//! SQS with its JSON API, and SNS with its form.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{
    Response,
    body::{Body, Bytes},
};
use rustack_sns_core::{
    config::SnsConfig,
    handler::RustackSnsHandler,
    provider::RustackSns,
    publisher::{DeliveryError, SqsPublisher},
};
use rustack_sns_http::{
    dispatch::SnsHandler as _, request::parse_form_params,
    response::error_to_response as sns_error, router::resolve_operation,
};
use rustack_sqs_core::{config::SqsConfig, handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::{dispatch::SqsHandler as _, response::error_to_response as sqs_error};
use rustack_sqs_model::{error::SqsError, input::SendMessageInput, operations::SqsOperation};
use serde::Deserialize;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::settings::{ACCOUNT_ID, Settings};
use crate::{
    habits::{Habits, deliveries::Delivery},
    iam::Judge,
    ledger::Ledger,
    proxy::Twice,
};

/// The most requests that the SNS library handles at a time. It rejects more, so they wait here.
const MAX_CONCURRENT_REQUESTS: usize = 128;

/// A response.
pub type Answer = Response<BoxBody<Bytes, io::Error>>;

/// SQS. Its clones share the queues.
#[derive(Clone)]
pub struct Sqs {
    handler: Arc<RustackSqsHandler>,
    ledger: Ledger,
}

/// SNS. Its clones share the topics.
#[derive(Clone)]
pub struct Sns {
    handler: Arc<RustackSnsHandler>,
    slots: Arc<Semaphore>,
}

/// In which way SNS delivers.
pub struct Manner {
    /// The habits of AWS, if it has them.
    pub habits: Option<Arc<Habits>>,
    /// How many deliveries it makes twice, whatever its habits are.
    pub twice: Twice,
}

/// SQS and SNS without queues and topics, at an endpoint that listens on `port`. SNS delivers what
/// `judge` allows.
pub fn services(
    settings: &Settings,
    port: u16,
    judge: Judge,
    ledger: Ledger,
    manner: Manner,
) -> (Sqs, Sns) {
    let sqs = Arc::new(RustackSqs::new(SqsConfig {
        default_region: settings.region.clone(),
        account_id: ACCOUNT_ID.to_owned(),
        host: settings.public_host.clone(),
        port,
        ..SqsConfig::default()
    }));
    let config = SnsConfig {
        default_region: settings.region.clone(),
        account_id: ACCOUNT_ID.to_owned(),
        host: settings.public_host.clone(),
        port,
        ..SnsConfig::default()
    };
    let deliveries = Deliveries { judge, ledger: ledger.clone(), manner, sqs: Arc::clone(&sqs) };
    let deliveries = Arc::new(deliveries);
    let sns = RustackSnsHandler::new(Arc::new(RustackSns::new(config, deliveries)));
    let slots = Arc::new(Semaphore::new(MAX_CONCURRENT_REQUESTS));
    let sqs = Sqs { handler: Arc::new(RustackSqsHandler::new(sqs)), ledger };
    (sqs, Sns { handler: Arc::new(sns), slots })
}

impl Sqs {
    /// The answer to a request for an operation such as `SendMessage`.
    pub async fn answer(&self, operation: &str, body: Bytes) -> Answer {
        let noted = (self.ledger.notes(operation)).then(|| body.clone());
        let answer = match SqsOperation::from_name(operation) {
            Some(operation) => self.handler.handle_operation(operation, body).await,
            None => Err(SqsError::unknown_operation(operation)),
        };
        let id = Uuid::new_v4().to_string();
        let answer = answer.map_err(|error| sqs_error(&error, &id));
        match (answer, noted) {
            (Ok(answer), Some(request)) => self.noted(operation, &request, answer).await,
            (Ok(answer) | Err(answer), _) => answer.map(|body| body.boxed()),
        }
    }

    /// An answer of which the ledger has taken note.
    async fn noted<B>(&self, operation: &str, request: &[u8], answer: Response<B>) -> Answer
    where
        B: Body<Data = Bytes, Error: std::fmt::Debug>,
    {
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        self.ledger.note(operation, request, &body);
        let body = Full::new(body).map_err(|never| match never {});
        Response::from_parts(head, body.boxed())
    }
}

impl Sns {
    /// The answer to a request, whose body is a form.
    pub async fn answer(&self, body: Bytes) -> Answer {
        let _slot = self.slots.acquire().await;
        let answer = match resolve_operation(&parse_form_params(&body)) {
            Ok(operation) => self.handler.handle_operation(operation, body).await,
            Err(error) => Err(error),
        };
        let id = Uuid::new_v4().to_string();
        answer.unwrap_or_else(|error| sns_error(&error, &id)).map(|body| body.boxed())
    }
}

/// Puts the messages that SNS delivers into the queues.
struct Deliveries {
    judge: Judge,
    ledger: Ledger,
    manner: Manner,
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
            // The publisher does not learn of it, here or on AWS.
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
        let Manner { habits, twice } = &self.manner;
        let is_fifo = queue_arn.ends_with(".fifo");
        let again = !is_fifo && twice.next();
        if let Some(habits) = habits.as_ref().filter(|_| !is_fifo) {
            let (sqs, ledger) = (Arc::clone(&self.sqs), self.ledger.clone());
            let mut delivery = habits.deliveries.next();
            delivery.times += usize::from(again);
            tokio::spawn(deliver(sqs, ledger, message, delivery));
            return Ok(());
        }
        let copy = again.then(|| message.clone());
        for message in [Some(message), copy].into_iter().flatten() {
            let sent = send(&self.sqs, &self.ledger, message).await;
            sent.map_err(|error| failed(queue_arn, error))?;
        }
        Ok(())
    }
}

/// Puts a message into its queue.
async fn send(
    sqs: &RustackSqs,
    ledger: &Ledger,
    message: SendMessageInput,
) -> Result<(), SqsError> {
    let noted = ledger.is_on().then(|| (message.queue_url.clone(), message.message_body.clone()));
    let sent = sqs.send_message(message).await?;
    if let (Some((queue, body)), Some(id)) = (noted, sent.message_id) {
        ledger.sent(&queue, &id, &body, Duration::ZERO);
    }
    Ok(())
}

async fn deliver(
    sqs: Arc<RustackSqs>,
    ledger: Ledger,
    message: SendMessageInput,
    delivery: Delivery,
) {
    if !delivery.after.is_zero() {
        tokio::time::sleep(delivery.after).await;
    }
    for _ in 0..delivery.times {
        if let Err(error) = send(&sqs, &ledger, message.clone()).await {
            tracing::warn!(%error, queue = message.queue_url, "SNS could not deliver a message");
        }
    }
}

fn failed(queue_arn: &str, error: impl std::fmt::Display) -> DeliveryError {
    DeliveryError::SqsDeliveryFailed { queue_arn: queue_arn.to_owned(), reason: error.to_string() }
}
