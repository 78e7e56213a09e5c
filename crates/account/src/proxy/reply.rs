//! The reply to a caller: the endpoint's answer, whole or in pieces, or an error in AWS's format.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body_util::{Either, Full};
use hyper::{
    Response, StatusCode,
    body::{Body, Bytes, Frame, SizeHint},
    header::CONTENT_TYPE,
    http::response::Parts,
};
use tokio::time::{Sleep, sleep};

use super::call::{Call, Service};

/// The number of pieces of a slow answer; an answer with fewer bytes has one for each byte.
const PIECES: usize = 8;

/// A reply to the caller.
pub type Reply = Response<Either<Full<Bytes>, Trickle>>;

/// The endpoint's answer, unchanged.
pub fn whole(head: Parts, body: Bytes) -> Reply {
    Response::from_parts(head, Either::Left(Full::new(body)))
}

/// The endpoint's answer in pieces that are spread evenly over `time`.
pub fn trickled(head: Parts, body: Bytes, time: Duration) -> Reply {
    Response::from_parts(head, Either::Right(Trickle::new(body, time)))
}

/// An answer of the proxy itself.
pub fn own(status: StatusCode, text: String) -> Reply {
    let mut reply = Response::new(Either::Left(Full::from(text)));
    *reply.status_mut() = status;
    reply
}

/// A failure inside the service: the caller may retry.
pub fn server_error(call: &Call) -> Reply {
    let code = match call.service {
        Service::DynamoDb | Service::Textract => "InternalServerError",
        Service::S3 => "InternalError",
        Service::Sns | Service::Sqs | Service::Other => "InternalFailure",
    };
    error(call, StatusCode::INTERNAL_SERVER_ERROR, code)
}

/// The service is overloaded: the caller should retry later.
pub fn throttle(call: &Call) -> Reply {
    let code = match call.service {
        Service::DynamoDb => "ProvisionedThroughputExceededException",
        Service::Sqs | Service::Textract => "ThrottlingException",
        Service::S3 => "SlowDown",
        Service::Sns | Service::Other => "Throttling",
    };
    let status = match call.service {
        Service::Other => StatusCode::TOO_MANY_REQUESTS,
        Service::S3 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    error(call, status, code)
}

/// The caller lacks the permission.
pub fn denied(call: &Call) -> Reply {
    let (status, code) = match call.service {
        Service::DynamoDb | Service::Textract => (StatusCode::BAD_REQUEST, "AccessDeniedException"),
        Service::Sns => (StatusCode::FORBIDDEN, "AuthorizationError"),
        Service::Sqs => (StatusCode::FORBIDDEN, "AccessDeniedException"),
        Service::S3 | Service::Other => (StatusCode::FORBIDDEN, "AccessDenied"),
    };
    error(call, status, code)
}

fn error(call: &Call, status: StatusCode, code: &str) -> Reply {
    const MESSAGE: &str = "an injected fault";
    let sender = if status.is_server_error() { "Receiver" } else { "Sender" };
    let xml = |code| {
        format!(
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error>\
             <Type>{sender}</Type><Code>{code}</Code><Message>{MESSAGE}</Message></Error>\
             <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
        )
    };
    let json = |namespace, code| {
        format!("{{\"__type\":\"{namespace}#{code}\",\"message\":\"{MESSAGE}\"}}")
    };
    let (content_type, body) = match call.service {
        Service::DynamoDb => (JSON, json("com.amazonaws.dynamodb.v20120810", code)),
        Service::Sqs => (JSON, json("com.amazonaws.sqs", code)),
        Service::Textract => ("application/x-amz-json-1.1", json("com.amazonaws.textract", code)),
        Service::S3 => {
            let error = format!("<Error><Code>{code}</Code><Message>{MESSAGE}</Message></Error>");
            ("application/xml", error)
        }
        Service::Sns | Service::Other => ("text/xml", xml(code)),
    };
    let mut reply = Response::new(Either::Left(Full::from(body)));
    *reply.status_mut() = status;
    let content_type = hyper::header::HeaderValue::from_static(content_type);
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply
}

const JSON: &str = "application/x-amz-json-1.0";

/// A body that is sent in pieces, with a pause before each.
#[derive(Debug)]
pub struct Trickle {
    pieces: VecDeque<Bytes>,
    pause: Duration,
    paused: Pin<Box<Sleep>>,
}

impl Trickle {
    fn new(body: Bytes, time: Duration) -> Self {
        let length = body.len().div_ceil(PIECES).max(1);
        let pieces: VecDeque<_> = body.chunks(length).map(|piece| body.slice_ref(piece)).collect();
        let pause = time.div_f64(pieces.len().max(1) as f64);
        Self { pieces, pause, paused: Box::pin(sleep(pause)) }
    }
}

impl Body for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.pieces.is_empty() {
            return Poll::Ready(None);
        }
        ready!(self.paused.as_mut().poll(context));
        self.paused = Box::pin(sleep(self.pause));
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.pieces.iter().map(|piece| piece.len() as u64).sum())
    }
}
