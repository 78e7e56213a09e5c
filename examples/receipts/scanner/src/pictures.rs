//! The pictures: where they are, and what may be read.

use std::time::Duration;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_s3::{Client, error::SdkError, operation::head_object::HeadObjectError};
use aws_sdk_textract::{
    primitives::Blob,
    types::{Document, S3Object},
};
use image::{ImageFormat, codecs::jpeg::JpegEncoder};
use pubsub::unavailable::call_failed;
use receipts::Picture;
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::textract::Refused;

/// The longest side that Textract takes.
const MAX_SIDE: usize = 10_000;
/// The most pixels: a decoded picture takes 120 MB then. Cameras of phones have 12 to 50 million.
const MAX_PIXELS: usize = 40_000_000;
/// How long reading a picture from S3 may take.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a scan looks whether its picture is gone.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The pictures in S3.
pub struct Pictures(Client);

impl Pictures {
    pub fn new(aws: &SdkConfig) -> Self {
        Self(Client::new(aws))
    }

    /// Waits until a picture is gone.
    pub async fn gone(&self, picture: &Picture) {
        loop {
            sleep(LOOK_EVERY).await;
            let head = self.0.head_object().bucket(&picture.bucket).key(&picture.key).send().await;
            // If S3 cannot be asked, the scan goes on.
            if head.is_err_and(|error| {
                matches!(error.as_service_error(), Some(HeadObjectError::NotFound(_)))
            }) {
                return;
            }
        }
    }

    /// A picture as Textract takes it: by reference, unless it has to be converted.
    pub async fn document(&self, picture: &Picture) -> Result<Document, Refused> {
        if picture.media_type == "application/pdf" {
            return Ok(by_reference(picture));
        }
        let bytes = timeout(READ_TIMEOUT, self.bytes(picture)).await;
        let bytes = bytes.context("reading the picture took too long")??;
        let media_type = picture.media_type.clone();
        let converted = spawn_blocking(move || examine(&bytes, &media_type)).await;
        match converted.context("a picture made the decoder panic")?? {
            Some(jpeg) => Ok(Document::builder().bytes(Blob::new(jpeg)).build()),
            None => Ok(by_reference(picture)),
        }
    }

    async fn bytes(&self, picture: &Picture) -> Result<Vec<u8>, Refused> {
        let get = self.0.get_object().bucket(&picture.bucket).key(&picture.key);
        let object = get.send().await.map_err(|error| match error {
            SdkError::ServiceError(it) if it.err().is_no_such_key() => Refused::Gone,
            error => call_failed(error).context("reading the picture").into(),
        })?;
        let bytes = object.body.collect().await.context("reading the picture");
        Ok(bytes
            .map_err(pubsub::unavailable::Unavailable::new)
            .map_err(anyhow::Error::new)?
            .to_vec())
    }
}

fn by_reference(Picture { bucket, key, .. }: &Picture) -> Document {
    let object = S3Object::builder().bucket(bucket).name(key).build();
    Document::builder().s3_object(object).build()
}

/// Refuses a picture with too many pixels before it is decoded, and converts one whose format
/// Textract does not know.
fn examine(bytes: &[u8], media_type: &str) -> Result<Option<Vec<u8>>, Refused> {
    let size = imagesize::blob_size(bytes).map_err(|_| unreadable())?;
    let (width, height) = (size.width, size.height);
    if width.max(height) > MAX_SIDE || width * height > MAX_PIXELS {
        return Err(Refused::Unreadable(format!(
            "The picture has {width} × {height} pixels. Send one of at most {} million, with no \
             side longer than {MAX_SIDE}.",
            MAX_PIXELS / 1_000_000
        )));
    }
    if media_type != "image/webp" {
        return Ok(None);
    }
    let picture = image::load_from_memory_with_format(bytes, ImageFormat::WebP);
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, 90);
    let encoded = picture.and_then(|it| it.to_luma8().write_with_encoder(encoder));
    encoded.map(|()| Some(jpeg)).map_err(|_| unreadable())
}

fn unreadable() -> Refused {
    Refused::Unreadable("The file is damaged. Take the picture again, and send that.".to_owned())
}
