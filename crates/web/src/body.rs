//! Bodies of requests: small, and sent without delay.

use std::{error::Error, iter, time::Duration};

use axum::{
    body::{Body, HttpBody as _, to_bytes},
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http_body_util::LengthLimitError;
use tokio::time::timeout;

use crate::problem::Problem;

/// The largest body of a request, in bytes: a form has a few hundred.
const MAX_BYTES: usize = 16 * 1024;
/// How long a body may take: all of it, so that a byte a second does not help.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the body before the request is handled, so that a slow client holds nothing but its own
/// connection.
///
/// The answer to a body that is too large is 413, and to one that takes too long 408.
pub async fn read(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(head, body)).await;
    }
    match timeout(TIMEOUT, to_bytes(body, MAX_BYTES)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Ok(Err(error)) => {
            let too_large = causes(&error).any(|it| it.is::<LengthLimitError>());
            let status =
                if too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
            Problem::of_body(status, &error, "").into_response()
        }
        Err(_) => {
            let detail = "The request body took too long. Send the request again.";
            let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
            (close, Problem::new(StatusCode::REQUEST_TIMEOUT, detail)).into_response()
        }
    }
}

fn causes<'a>(error: &'a axum::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let error: &(dyn Error + 'static) = error;
    iter::successors(Some(error), |it| (*it).source())
}
