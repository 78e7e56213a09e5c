//! What a client of SNS or SQS measures of its requests, by OpenTelemetry's conventions for
//! messaging: <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/>.

use std::future::Future;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};
use tokio::time::Instant;

use crate::{
    metrics::{counter, seconds},
    unavailable::error_type,
};

/// One kind of request to one topic or queue.
pub struct Operation {
    /// Those of a request that succeeds, so that measuring it makes none.
    attributes: [KeyValue; 4],
    duration: Histogram<f64>,
}

impl Operation {
    /// Requests called `name` of the type `kind`: `send`, `receive` or `settle`.
    pub fn new(
        system: &'static str,
        name: &'static str,
        kind: &'static str,
        destination: &str,
    ) -> Self {
        Self {
            attributes: [
                KeyValue::new("messaging.system", system),
                KeyValue::new("messaging.operation.name", name),
                KeyValue::new("messaging.operation.type", kind),
                KeyValue::new("messaging.destination.name", destination.to_owned()),
            ],
            duration: seconds(
                "messaging.client.operation.duration",
                "How long a request to SNS or SQS took",
            ),
        }
    }

    /// Waits for a request, and measures how long it took, with its retries.
    pub async fn time<T, E: ProvideErrorMetadata>(
        &self,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, SdkError<E, HttpResponse>> {
        let began = Instant::now();
        let result = request.await;
        let took = began.elapsed().as_secs_f64();
        match &result {
            Ok(_) => self.duration.record(took, &self.attributes),
            Err(error) => self.duration.record(took, &self.with_error(error_type(error))),
        }
        result
    }

    fn with_error(&self, word: &'static str) -> Vec<KeyValue> {
        self.attributes.iter().cloned().chain([KeyValue::new("error.type", word)]).collect()
    }
}

/// Sending messages to a topic.
pub struct Sending {
    pub requests: Operation,
    messages: Counter<u64>,
}

impl Sending {
    /// To the SNS topic with this name.
    pub fn new(topic: &str) -> Self {
        Self {
            requests: Operation::new("aws.sns", "send", "send", topic),
            messages: counter(
                "messaging.client.sent.messages",
                "{message}",
                "Messages that were sent, or could not be",
            ),
        }
    }

    /// A topic has taken as many messages.
    pub fn sent(&self, messages: usize) {
        self.messages.add(messages as u64, &self.requests.attributes);
    }

    /// As many failed, because of `error`.
    pub fn failed(&self, messages: usize, error: &'static str) {
        self.messages.add(messages as u64, &self.requests.with_error(error));
    }
}
