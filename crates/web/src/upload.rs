//! Bodies of requests that are files: streamed, and never whole in memory.

use std::{future::ready, time::Duration};

use axum::{
    body::{Body, BodyDataStream, Bytes, HttpBody as _},
    http::StatusCode,
};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tokio::time::timeout;

use crate::Problem;

#[cfg(test)]
mod tests;

/// How many bytes say what a file is.
const HEAD_BYTES: usize = 16;
/// How long a client that is refused may go on sending. It reads the answer after that.
const REFUSED_TIMEOUT: Duration = Duration::from_secs(10);

/// A file that is being sent.
#[derive(Debug)]
pub struct Upload {
    /// How many bytes it has.
    pub bytes: u64,
    /// The first of them: at least 16, unless it is shorter.
    pub head: Bytes,
    rest: BodyDataStream,
}

impl Upload {
    /// Begins to read a body of at most `limit` bytes, which is a multiple of a million.
    ///
    /// # Errors
    ///
    /// A [`Problem`] if its length is not stated, it is empty or too large, or it ends early.
    pub async fn begin(body: Body, limit: u64) -> Result<Self, Problem> {
        let length = body.size_hint().exact();
        let mut upload = Self {
            bytes: length.unwrap_or_default(),
            head: Bytes::new(),
            rest: body.into_data_stream(),
        };
        let refused = match length {
            None => {
                Some((StatusCode::LENGTH_REQUIRED, "Send the file with its length.".to_owned()))
            }
            Some(0) => Some((StatusCode::UNPROCESSABLE_ENTITY, "The file is empty.".to_owned())),
            Some(bytes) if bytes > limit => Some((
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("The file has more than {} MB. Send a smaller one.", limit / 1_000_000),
            )),
            Some(_) => None,
        };
        if let Some((status, detail)) = refused {
            return Err(upload.refuse(status, &detail).await);
        }
        let mut head = Vec::new();
        while head.len() < HEAD_BYTES
            && let Some(chunk) = upload.rest.try_next().await.map_err(cut_off)?
        {
            head.extend_from_slice(&chunk);
        }
        Ok(Self { head: head.into(), ..upload })
    }

    /// A problem with the file. A client that is still sending would not read the answer, so the
    /// rest is read first, for a while.
    pub async fn refuse(self, status: StatusCode, detail: &str) -> Problem {
        let _ = timeout(REFUSED_TIMEOUT, self.rest.for_each(|_| ready(()))).await;
        Problem::new(status, detail)
    }

    /// The whole file, from its beginning.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send + 'static {
        stream::iter([Ok(self.head)]).chain(self.rest)
    }
}

/// What there is to say if the client ends before its file does.
pub fn cut_off(error: axum::Error) -> Problem {
    Problem::of_body(StatusCode::BAD_REQUEST, &error, "")
}
