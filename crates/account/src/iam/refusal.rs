//! The answer to a call that is not allowed, as AWS words it for each service.
//!
//! - `DynamoDB`: 400 and `AccessDeniedException`,
//!   <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>.
//! - S3: 403 and `AccessDenied` in XML,
//!   <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
//! - SNS: 403 and `AuthorizationError`,
//!   <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>.
//! - SQS: 403 and `AccessDeniedException` in the body. The header `x-amzn-query-error` has the code
//!   of the older protocol, `AccessDenied`, which the SDKs prefer.
//! - Textract: as `DynamoDB`, in AWS JSON 1.1.
//! - The sentence:
//!   <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.

use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use serde_json::json;

use super::asked::Asked;
use crate::proxy::Service;

/// A call that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The service that was called.
    pub service: Service,
    /// The ARN of the caller.
    pub caller: String,
    /// What was not allowed.
    pub asked: Asked,
    /// Why.
    pub why: Why,
}

/// Why something is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No policy allows it.
    NotAllowed,
    /// A policy of the role denies it.
    DeniedToRole,
    /// A policy of the resource denies it.
    DeniedByResource,
}

impl Refusal {
    /// The sentence of AWS.
    pub fn message(&self) -> String {
        let action = self.action();
        let why = match self.why {
            Why::NotAllowed => {
                format!("because no identity-based policy allows the {action} action")
            }
            Why::DeniedToRole => "with an explicit deny in an identity-based policy".to_owned(),
            Why::DeniedByResource => "with an explicit deny in a resource-based policy".to_owned(),
        };
        let (caller, resource) = (&self.caller, &self.asked.resource);
        format!(
            "User: {caller} is not authorized to perform: {action} on resource: {resource} {why}"
        )
    }

    /// SQS writes its actions in lower case, and SNS its own name in upper case.
    fn action(&self) -> String {
        let action = &self.asked.action;
        match self.service {
            Service::Sqs => action.to_lowercase(),
            Service::Sns => action.replacen("sns:", "SNS:", 1),
            Service::DynamoDb | Service::S3 | Service::Textract | Service::Other => action.clone(),
        }
    }

    /// The response.
    pub fn answer<E>(&self) -> Response<BoxBody<Bytes, E>> {
        match self.service {
            Service::S3 => {
                // A key may have any character.
                let message = self.message().replace('&', "&amp;").replace('<', "&lt;");
                let body = format!(
                    "<Error><Code>AccessDenied</Code><Message>{message}</Message>\
                     <RequestId>{}</RequestId></Error>",
                    uuid::Uuid::new_v4()
                );
                response(StatusCode::FORBIDDEN, "application/xml", body)
            }
            Service::Textract => {
                response(StatusCode::BAD_REQUEST, "application/x-amz-json-1.1", self.json())
            }
            Service::Sns => {
                let body = format!(
                    "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error>\
                     <Type>Sender</Type><Code>AuthorizationError</Code><Message>{}</Message>\
                     </Error><RequestId>{}</RequestId></ErrorResponse>",
                    self.message(),
                    uuid::Uuid::new_v4()
                );
                response(StatusCode::FORBIDDEN, "text/xml", body)
            }
            Service::Sqs => {
                let mut answer = response(StatusCode::FORBIDDEN, JSON, self.json());
                let code = HeaderValue::from_static("AccessDenied;Sender");
                answer.headers_mut().insert(QUERY_ERROR, code);
                answer
            }
            Service::DynamoDb | Service::Other => {
                response(StatusCode::BAD_REQUEST, JSON, self.json())
            }
        }
    }

    fn json(&self) -> String {
        let code = "com.amazon.coral.service#AccessDeniedException";
        json!({"__type": code, "Message": self.message()}).to_string()
    }
}

const JSON: &str = "application/x-amz-json-1.0";
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

fn response<E>(
    status: StatusCode,
    content_type: &'static str,
    body: String,
) -> Response<BoxBody<Bytes, E>> {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {});
    let mut response = Response::new(body.boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
