//! What can go wrong with a call, and when it does.

use std::time::Duration;

use hyper::{Response, StatusCode, body::Bytes, header::CONTENT_TYPE};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use uuid::Uuid;

/// How long a stalled call waits: some are forwarded before their caller gives up, some are not.
const STALL_MS: std::ops::RangeInclusive<u64> = 1_000..=10_000;
/// Over how long a slow link spreads an answer.
const SPREAD_MS: std::ops::RangeInclusive<u64> = 200..=2_000;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// AWS answers 500, and did nothing.
    ServerError,
    /// AWS refuses, because there are too many calls.
    Throttled,
    /// The connection is closed before AWS has the call.
    Reset,
    /// AWS does what it is asked to, and the connection is closed before it can say so.
    AnswerLost,
    /// Nothing happens for a while; then the call goes on its way.
    Stall(Duration),
    /// The answer trickles in.
    SlowLink(Duration),
}

impl Fault {
    /// What it is called in a table.
    pub fn kind(self) -> &'static str {
        match self {
            Self::ServerError => "server error",
            Self::Throttled => "throttled",
            Self::Reset => "reset",
            Self::AnswerLost => "answer lost",
            Self::Stall(_) => "stall",
            Self::SlowLink(_) => "slow link",
        }
    }
}

/// Which calls fail, and how.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The same seed gives the same faults.
    pub seed: u64,
    /// How many calls of a hundred fail.
    pub percent: u32,
}

impl Plan {
    /// The fault of the `call`-th call of `operation`, if it has one.
    pub fn fault(&self, operation: &str, call: u64) -> Option<Fault> {
        let mut random = self.random(operation, call);
        if random.random_range(0..100) >= self.percent {
            return None;
        }
        let mut millis = |range| Duration::from_millis(random.random_range(range));
        let (stall, spread) = (millis(STALL_MS), millis(SPREAD_MS));
        Some(match random.random_range(0..6) {
            0 => Fault::ServerError,
            1 => Fault::Throttled,
            2 => Fault::Reset,
            3 => Fault::AnswerLost,
            4 => Fault::Stall(stall),
            _ => Fault::SlowLink(spread),
        })
    }

    /// Random numbers that depend on nothing but the seed and the place in the plan.
    fn random(&self, operation: &str, call: u64) -> StdRng {
        let place = format!("{} {operation} {call}", self.seed);
        let place = Uuid::new_v5(&Uuid::NAMESPACE_OID, place.as_bytes());
        let (high, low) = place.as_u64_pair();
        StdRng::seed_from_u64(high ^ low)
    }
}

/// 500, in the form that the service's SDK reads.
pub fn server_error(operation: &str) -> Response<Bytes> {
    let code = match service(operation) {
        "DynamoDB" => "com.amazonaws.dynamodb.v20120810#InternalServerError",
        _ => "InternalFailure",
    };
    error(operation, StatusCode::INTERNAL_SERVER_ERROR, code)
}

/// Too many calls, in the form that the service's SDK reads.
pub fn throttled(operation: &str) -> Response<Bytes> {
    let code = match service(operation) {
        "DynamoDB" => "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "SQS" => "com.amazonaws.sqs#RequestThrottled",
        _ => "Throttling",
    };
    error(operation, StatusCode::BAD_REQUEST, code)
}

fn service(operation: &str) -> &str {
    operation.split('.').next().unwrap_or_default()
}

fn error(operation: &str, status: StatusCode, code: &str) -> Response<Bytes> {
    let message = "a fault on purpose";
    let (media_type, text) = if service(operation) == "SNS" {
        let text = format!(
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error>\
             <Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>fault</RequestId></ErrorResponse>"
        );
        ("text/xml", text)
    } else {
        let text = serde_json::json!({ "__type": code, "message": message }).to_string();
        ("application/x-amz-json-1.0", text)
    };
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    let media_type = hyper::header::HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}
