//! What Textract reads, and what it says of the rest.

use hyper::{StatusCode, body::Bytes};

/// The longest side of a picture, in pixels.
const MAX_SIDE: usize = 10_000;
/// The most pixels: `tesseract` takes some 10 bytes for each.
const MAX_PIXELS: usize = 50_000_000;

/// A document of a format that Textract knows.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its format.
    pub format: Format,
    /// Its content.
    pub bytes: Bytes,
}

/// The format of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PNG, JPEG or TIFF.
    Picture,
    /// PDF.
    Pdf,
}

/// Why a document is not read.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The status of the answer.
    pub status: StatusCode,
    /// The code of the error.
    pub code: &'static str,
    /// The sentence.
    pub message: String,
}

impl Document {
    /// The document with this content.
    ///
    /// # Errors
    ///
    /// If its format is unknown, or if it has too many pixels.
    pub fn new(bytes: Bytes) -> Result<Self, Refused> {
        let begins = |magic: &[u8]| bytes.starts_with(magic);
        if begins(b"%PDF-") {
            return Ok(Self { format: Format::Pdf, bytes });
        }
        let is_picture = begins(b"\x89PNG\r\n\x1a\n")
            || begins(b"\xff\xd8\xff")
            || begins(b"II*\0")
            || begins(b"MM\0*");
        if !is_picture {
            return Err(Refused::unsupported("it is not PNG, JPEG, TIFF or PDF"));
        }
        let size = imagesize::blob_size(&bytes);
        let size = size.map_err(|error| Refused::bad(&error.to_string()))?;
        let (width, height) = (size.width, size.height);
        if width.max(height) > MAX_SIDE || width.saturating_mul(height) > MAX_PIXELS {
            return Err(Refused::bad(&format!("it has {width} x {height} pixels")));
        }
        Ok(Self { format: Format::Picture, bytes })
    }
}

impl Refused {
    fn new(code: &'static str, message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message }
    }

    /// Its format is not one that Textract reads.
    pub fn unsupported(why: &str) -> Self {
        let message = format!("Request has unsupported document format: {why}");
        Self::new("UnsupportedDocumentException", message)
    }

    /// Its content cannot be read.
    pub fn bad(why: &str) -> Self {
        Self::new("BadDocumentException", format!("The document cannot be read: {why}"))
    }

    /// It has too many bytes.
    pub fn too_large() -> Self {
        let message = "The document has more than 5 MB in the request, or 10 MB in S3".to_owned();
        Self::new("DocumentTooLargeException", message)
    }

    /// The caller cannot read the object.
    pub fn object(bucket: &str, key: &str) -> Self {
        let message = format!(
            "Unable to get object metadata from S3. Check object key, region and/or access \
             permissions: {bucket}/{key}"
        );
        Self::new("InvalidS3ObjectException", message)
    }

    /// The request is wrong.
    pub fn parameter(why: &str) -> Self {
        let message = format!("Request has invalid parameters: {why}");
        Self::new("InvalidParameterException", message)
    }

    /// There is no such operation here.
    pub fn unknown(operation: &str) -> Self {
        Self::new("UnknownOperationException", format!("{operation} does not exist here"))
    }

    /// It is nobody's fault but this machine's; the caller may retry.
    pub fn internal(message: String) -> Self {
        let (status, code) = (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError");
        Self { status, code, message }
    }
}
