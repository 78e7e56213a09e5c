//! The pictures in S3.

use std::time::Duration;

use anyhow::Context as _;
use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_s3::{
    Client,
    error::SdkError,
    primitives::{ByteStream, SdkBody},
    types::ChecksumMode,
};
use axum::body::{Body, Bytes};
use futures_util::{Stream, TryStreamExt as _, stream::unfold};
use http_body_util::StreamBody;
use hyper::body::Frame;
use pubsub::unavailable::call_failed;
use receipts::Picture;
use sync_wrapper::SyncStream;

/// How long S3 may be silent. A whole picture takes as long as the person's connection needs.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The bucket of pictures. A clone is cheap.
#[derive(Clone)]
pub struct Bucket {
    s3: Client,
    pub name: String,
}

impl Bucket {
    pub fn new(aws: &SdkConfig, name: String) -> Self {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build();
        Self { s3: Client::new(&aws.to_builder().timeout_config(timeouts).build()), name }
    }

    /// Stores `bytes` bytes from a stream under a key. They pass through: at no time is
    /// the whole picture in memory. S3 checks what arrives by a checksum that the SDK adds.
    ///
    /// # Errors
    ///
    /// If the stream ends early, or S3 is unavailable. Nothing is stored then.
    pub async fn store<S, E>(
        &self,
        key: &str,
        media_type: &str,
        bytes: u64,
        stream: S,
    ) -> anyhow::Result<()>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let body = StreamBody::new(SyncStream::new(stream.map_ok(Frame::data)));
        let put = self.s3.put_object().bucket(&self.name).key(key).content_type(media_type);
        let put = put
            .content_length(bytes.try_into()?)
            .body(ByteStream::new(SdkBody::from_body_1_x(body)));
        put.send().await.map(drop).map_err(call_failed).context("storing a picture")
    }

    /// A picture, as it comes from S3; `None` if it is gone.
    ///
    /// # Errors
    ///
    /// If S3 is unavailable.
    pub async fn read(
        &self,
        Picture { bucket, key, .. }: &Picture,
    ) -> anyhow::Result<Option<Body>> {
        let get = self.s3.get_object().bucket(bucket).key(key).checksum_mode(ChecksumMode::Enabled);
        match get.send().await {
            Ok(object) => {
                let chunks = unfold(object.body, async |mut body| Some((body.next().await?, body)));
                Ok(Some(Body::from_stream(chunks)))
            }
            Err(SdkError::ServiceError(it)) if it.err().is_no_such_key() => Ok(None),
            Err(error) => Err(call_failed(error)).context("reading a picture"),
        }
    }

    /// Deletes a picture, if it is there.
    ///
    /// # Errors
    ///
    /// If S3 is unavailable.
    pub async fn delete(&self, Picture { bucket, key, .. }: &Picture) -> anyhow::Result<()> {
        let delete = self.s3.delete_object().bucket(bucket).key(key).send();
        delete.await.map(drop).map_err(call_failed).context("deleting a picture")
    }
}
