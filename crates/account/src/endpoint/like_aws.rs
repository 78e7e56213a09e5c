//! Answers of the three services with the [habits](crate::habits) of AWS.

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Response,
    body::Bytes,
    header::{CONTENT_LENGTH, HeaderName},
};

use super::messaging::Answer;

pub mod dynamodb;

pub mod sns;

pub mod sqs;

/// The checksum of the body, which clients need not be sent.
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-crc32");

/// Changes the body of an answer that is not an error.
async fn edited(answer: Answer, edit: impl FnOnce(Bytes) -> Bytes) -> Answer {
    if !answer.status().is_success() {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    head.headers.remove(CHECKSUM);
    head.headers.remove(CONTENT_LENGTH);
    let body = Full::new(edit(body)).map_err(|never| match never {});
    Response::from_parts(head, body.boxed())
}
