//! Whether a call failed because a service is unavailable, or because of what was asked of it.
//!
//! It decides what a worker does with a message: if a service is unavailable, the message is not at
//! fault, and it uses up none of its tries.

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::CreateUnhandledError};
use thiserror::Error;

/// Error codes of a caller without rights or valid credentials, of a missing resource, and of a key
/// that cannot be used. All messages fail until it is repaired, so none of them is at fault.
const CONFIGURATION_ERRORS: [&str; 16] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "NotFound",
    "NotFoundException",
    "RequestExpired",
    "ResourceNotFoundException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];
/// SNS reports failures of its encryption keys with codes that begin with this.
const KEY_ERRORS: &str = "KMS";

/// An error because of a service that is unavailable: it does not answer, it throttles, it fails,
/// or it refuses every call of this caller.
///
/// Anywhere in the causes of an `anyhow` error, it makes a handler's failure a
/// [`Failure::Unavailable`](crate::subscribe::Failure::Unavailable).
#[derive(Debug, Error)]
#[error("{0:#}")]
pub struct Unavailable(anyhow::Error);

impl Unavailable {
    /// Marks an error.
    pub fn new(error: impl Into<anyhow::Error>) -> Self {
        Self(error.into())
    }

    /// Whether `error` was caused by one of these.
    pub fn caused(error: &anyhow::Error) -> bool {
        error.chain().any(|cause| cause.is::<Self>())
    }
}

/// The error of an AWS call, which says whether the service is unavailable.
///
/// Use it in place of `?` and of `SdkError::into_service_error`, which both forget it.
pub fn call_failed<E>(error: SdkError<E, HttpResponse>) -> anyhow::Error
where
    E: ProvideErrorMetadata + CreateUnhandledError + std::error::Error + Send + Sync + 'static,
{
    let unavailable = is_unavailable(&error);
    let error = anyhow::Error::new(error.into_service_error());
    if unavailable { Unavailable(error).into() } else { error }
}

/// Whether a call failed because the service is unavailable.
pub(crate) fn is_unavailable<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        // Without an answer, the reason is the network, the credentials, or the service.
        SdkError::TimeoutError(_) => true,
        SdkError::DispatchFailure(failure) => !failure.is_user(),
        SdkError::ServiceError(answer) => {
            let code = answer.err().code().unwrap_or_default();
            answer.raw().status().is_server_error() || is_unavailable_code(code)
        }
        SdkError::ResponseError(_) => true,
        _ => false,
    }
}

/// Whether AWS sends this error code if a service is unavailable.
pub(crate) fn is_unavailable_code(code: &str) -> bool {
    let known = [THROTTLING_ERRORS, TRANSIENT_ERRORS, &CONFIGURATION_ERRORS];
    code.starts_with(KEY_ERRORS) || known.iter().any(|codes| codes.contains(&code))
}

/// Why a call failed, in one of few words: the `error.type` of metrics.
pub(crate) fn error_type<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
) -> &'static str {
    match error {
        SdkError::TimeoutError(_) => "timeout",
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "timeout",
        SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => "connection",
        SdkError::ServiceError(answer) => match answer.err().code() {
            Some(code) if is_unavailable_code(code) => code_type(code),
            _ if answer.raw().status().is_server_error() => "unavailable",
            _ => "refused",
        },
        // The conventions' word for the rest.
        _ => "_OTHER",
    }
}

/// The same for an error code.
pub(crate) fn code_type(code: &str) -> &'static str {
    match code {
        _ if THROTTLING_ERRORS.contains(&code) => "throttled",
        _ if TRANSIENT_ERRORS.contains(&code) => "unavailable",
        _ if is_unavailable_code(code) => "misconfigured",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use anyhow::Context as _;
    use aws_config::timeout::TimeoutConfig;
    use aws_smithy_runtime_api::client::{
        http::{HttpConnector, HttpConnectorFuture},
        orchestrator::HttpRequest,
        result::ConnectorError,
    };
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::{subscribe::Failure, testing::config};

    /// How an SQS fails.
    #[derive(Clone, Copy, Debug)]
    enum Sqs {
        /// It answers with this status and error code.
        Answers(u16, &'static str),
        /// It resets connections.
        Resets,
        /// It takes no connection in time.
        TakesLong,
        /// It takes a request, and does not answer it.
        Silent,
        /// Its answer breaks off.
        BreaksOff,
    }

    use Sqs::{Answers, BreaksOff, Resets, Silent, TakesLong};

    impl HttpConnector for Sqs {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let answer = |status: u16, body| HttpResponse::new(status.try_into().unwrap(), body);
            HttpConnectorFuture::ready(match *self {
                Answers(status, code) => {
                    let body = format!(r#"{{"__type": "com.amazonaws.sqs#{code}"}}"#);
                    Ok(answer(status, SdkBody::from(body)))
                }
                BreaksOff => Ok(answer(200, SdkBody::taken())),
                Resets => Err(ConnectorError::io(io::Error::other("reset").into())),
                TakesLong => Err(ConnectorError::timeout(io::Error::other("late").into())),
                Silent => return HttpConnectorFuture::new(std::future::pending()),
            })
        }
    }

    /// A client that waits for an answer no longer than those of the services do.
    fn client(sqs: Sqs) -> aws_sdk_sqs::Client {
        let patience = Duration::from_secs(3);
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(patience).build();
        let aws = config(sqs).into_builder().timeout_config(timeouts).build();
        aws_sdk_sqs::Client::new(&aws)
    }

    async fn failure(sqs: Sqs) -> Failure {
        let client = client(sqs);
        let called = client.list_queues().send().await.map_err(call_failed);
        Failure::from(called.context("listing the queues").unwrap_err())
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_call_has_one_of_few_error_types() {
        for (answer, word) in [
            (Resets, "connection"),
            (BreaksOff, "connection"),
            (TakesLong, "timeout"),
            (Silent, "timeout"),
            (Answers(500, "InternalError"), "unavailable"),
            (Answers(503, "SomethingNew"), "unavailable"),
            (Answers(400, "ThrottlingException"), "throttled"),
            (Answers(400, "RequestTimeout"), "unavailable"),
            (Answers(403, "AccessDenied"), "misconfigured"),
            (Answers(400, "KMSDisabledException"), "misconfigured"),
            (Answers(400, "AnIdInACode-123"), "refused"),
        ] {
            let error = client(answer).list_queues().send().await.unwrap_err();
            assert_eq!(error_type(&error), word, "{answer:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_the_fault_of_a_message_makes_a_service_unavailable() {
        for answer in [
            Resets,
            BreaksOff,
            TakesLong,
            Silent,
            Answers(500, "InternalError"),
            Answers(503, "ServiceUnavailable"),
            Answers(400, "ThrottlingException"),
            Answers(400, "ProvisionedThroughputExceededException"),
            Answers(403, "AccessDenied"),
            Answers(403, "ExpiredTokenException"),
            Answers(400, "KMSDisabledException"),
        ] {
            let failure = failure(answer).await;
            assert!(matches!(failure, Failure::Unavailable(_)), "{answer:?}: {failure:?}");
        }
        for answer in [Answers(400, "ValidationException"), Answers(413, "InvalidMessageContents")]
        {
            let failure = failure(answer).await;
            assert!(matches!(failure, Failure::Retry(_)), "{answer:?}: {failure:?}");
        }
    }

    #[test]
    fn the_code_of_a_message_in_a_batch_has_the_same_types() {
        for (code, word) in [
            ("ThrottledException", "throttled"),
            ("RequestTimeout", "unavailable"),
            ("KMSAccessDenied", "misconfigured"),
            ("InvalidParameter", "refused"),
        ] {
            assert_eq!(code_type(code), word, "{code}");
        }
    }
}
