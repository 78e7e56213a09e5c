//! Textract: reads the text of a picture by `tesseract`, a program of its own.
//!
//! It has the limits of Textract's synchronous operations, and its errors:
//! <https://docs.aws.amazon.com/textract/latest/dg/limits-document.html>. It differs as follows:
//!
//! - It understands no expenses: `AnalyzeExpense` finds lines of text, and no fields.
//! - A line is what `tesseract` takes for one, so an item and its price may be one.
//! - Without `tesseract`, each call is an `InternalServerError` that says what to install. One page
//!   of PDF needs poppler's `pdfinfo` and `pdftoppm` too.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::{StatusCode, body::Bytes};
use serde::Deserialize;
use serde_json::{Value as Json, json};

mod document;

mod blocks;
mod tesseract;

use super::{s3::S3, script::Script, settings::Settings};
use document::{Document, Refused};
use tesseract::{Page, Tesseract};

/// The most bytes of a document in the request, before they were encoded.
const MAX_BYTES: usize = 5 << 20;
/// The most bytes of a document in S3.
const MAX_OBJECT_BYTES: u64 = 10 << 20;
/// A caller asks for the expense first, and then for the text of the same page.
const REMEMBERED_PAGES: usize = 16;

/// Textract. Its clones share the pages that were read.
#[derive(Clone, Debug)]
pub struct Textract {
    s3: S3,
    script: Option<Script>,
    tesseract: Tesseract,
    pages: Arc<Mutex<Pages>>,
}

/// The last pages, by a hash of their documents.
type Pages = VecDeque<(u64, Arc<Page>)>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    document: Source,
}

/// Where a document is.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Source {
    bytes: Option<String>,
    s3_object: Option<Object>,
}

/// An object in S3.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Object {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub name: String,
}

/// The object that a request names, if it names one.
pub fn object(request: &[u8]) -> Option<Object> {
    serde_json::from_slice::<Request>(request).ok()?.document.s3_object
}

impl Textract {
    /// Textract that finds documents in `s3`.
    pub fn new(settings: &Settings, s3: S3) -> Self {
        let (script, tesseract) = (settings.textract.clone(), Tesseract::new());
        Self { s3, script, tesseract, pages: Arc::default() }
    }

    /// The status and the JSON that answer a request. The caller may read the object in it if
    /// `may_read`.
    pub async fn answer(&self, operation: &str, body: &[u8], may_read: bool) -> (StatusCode, Json) {
        let answer = self.answered(operation, body, may_read).await;
        answer.unwrap_or_else(|refused| refused.answer())
    }

    async fn answered(
        &self,
        operation: &str,
        body: &[u8],
        may_read: bool,
    ) -> Result<(StatusCode, Json), Refused> {
        let answer: fn(&Page) -> Json = match operation {
            "AnalyzeExpense" => blocks::expense,
            "DetectDocumentText" => blocks::text,
            other => return Err(Refused::unknown(other)),
        };
        let document = Document::new(self.document(body, may_read).await?)?;
        if let Some(script) = &self.script {
            return Ok(script.answer(operation, document.bytes).await);
        }
        Ok((StatusCode::OK, answer(&*self.page(&document).await?)))
    }

    /// The bytes of the document that a request is about.
    async fn document(&self, body: &[u8], may_read: bool) -> Result<Bytes, Refused> {
        let request: Request =
            serde_json::from_slice(body).map_err(|error| Refused::parameter(&error.to_string()))?;
        let document = match request.document {
            Source { bytes: Some(bytes), s3_object: None } => {
                let bytes = BASE64_STANDARD.decode(bytes);
                let bytes = bytes.map_err(|error| Refused::parameter(&error.to_string()))?;
                (bytes.len() <= MAX_BYTES).then(|| bytes.into())
            }
            Source { bytes: None, s3_object: Some(object) } => {
                let Object { bucket, name } = object;
                let read = async { self.s3.object(&bucket, &name, MAX_OBJECT_BYTES).await };
                if !may_read {
                    return Err(Refused::object(&bucket, &name));
                }
                read.await.map_err(|_| Refused::object(&bucket, &name))?
            }
            _ => return Err(Refused::parameter("Document has either Bytes or S3Object")),
        };
        document.ok_or_else(Refused::too_large)
    }

    async fn page(&self, document: &Document) -> Result<Arc<Page>, Refused> {
        let mut hasher = DefaultHasher::new();
        document.bytes.hash(&mut hasher);
        let hash = hasher.finish();
        let known = self.pages().iter().find(|(of, _)| *of == hash).map(|(_, page)| page.clone());
        if let Some(page) = known {
            return Ok(page);
        }
        let page = Arc::new(self.tesseract.read(document).await?);
        let mut pages = self.pages();
        pages.push_front((hash, Arc::clone(&page)));
        pages.truncate(REMEMBERED_PAGES);
        Ok(page)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refused {
    fn answer(self) -> (StatusCode, Json) {
        (self.status, json!({"__type": self.code, "Message": self.message}))
    }
}
