//! The service and the operation that a request calls.

use std::fmt;

use hyper::{HeaderMap, body::Bytes, http::request::Parts};
use serde_json::json;

use super::s3;

/// An operation of an AWS service, displayed as in `SQS.ReceiveMessage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service.
    pub service: Service,
    /// The operation, or the HTTP method if the request calls none.
    pub operation: String,
}

/// The AWS services that the product calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `DynamoDB`, with AWS JSON 1.0.
    DynamoDb,
    /// S3, whose operations are methods on paths.
    S3,
    /// SNS, with the Query protocol.
    Sns,
    /// SQS, with AWS JSON 1.0.
    Sqs,
    /// Textract, with AWS JSON 1.1.
    Textract,
    /// Anything else.
    Other,
}

impl Call {
    /// The call of a request. In AWS JSON the header `X-Amz-Target` names it, in the Query protocol
    /// the field `Action` of the form. A request to S3 is known by its signature.
    pub fn of(head: &Parts, body: &[u8]) -> Self {
        if s3::is_request(head) {
            return Self { service: Service::S3, operation: s3::operation(head) };
        }
        json_call(&head.headers)
            .or_else(|| query_call(body))
            .unwrap_or_else(|| Self { service: Service::Other, operation: head.method.to_string() })
    }
}

/// The text of a request that names its resource: its body, or for S3, whose requests have it in
/// their path, the same in JSON.
pub fn text(head: &Parts, call: &Call, body: &Bytes) -> Bytes {
    if call.service != Service::S3 {
        return body.clone();
    }
    let (bucket, key) = s3::resource(head);
    json!({"Bucket": bucket, "Key": key}).to_string().into()
}

fn json_call(headers: &HeaderMap) -> Option<Call> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    let (service, operation) = target.split_once('.')?;
    let service = match service {
        "AmazonSQS" => Service::Sqs,
        "Textract" => Service::Textract,
        _ if service.starts_with("DynamoDB_") => Service::DynamoDb,
        _ => Service::Other,
    };
    Some(Call { service, operation: operation.to_owned() })
}

fn query_call(body: &[u8]) -> Option<Call> {
    let form = std::str::from_utf8(body).ok()?;
    let field = |name| {
        form.split('&')
            .filter_map(|field| field.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    };
    // An operation's name has only letters, so nothing in it is percent-encoded.
    Some(Call {
        operation: field("Action")?.to_owned(),
        service: match field("Version") {
            Some("2010-03-31") => Service::Sns,
            Some("2012-11-05") => Service::Sqs,
            _ => Service::Other,
        },
    })
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = match self.service {
            Service::DynamoDb => "DynamoDB",
            Service::S3 => "S3",
            Service::Sns => "SNS",
            Service::Sqs => "SQS",
            Service::Textract => "Textract",
            Service::Other => "HTTP",
        };
        write!(f, "{service}.{}", self.operation)
    }
}
