//! Answers of Textract that a test has written.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use hyper::{StatusCode, body::Bytes};
use serde_json::Value as Json;

/// The status and the JSON that answer a call.
pub type Scripted = (StatusCode, Json);

type Pending = Pin<Box<dyn Future<Output = Scripted> + Send>>;

/// What Textract answers, by the operation and the document. Its clones are the same script.
#[derive(Clone)]
pub struct Script(Arc<dyn Fn(String, Bytes) -> Pending + Send + Sync>);

impl Script {
    /// A script that calls `answer` with each operation, such as `AnalyzeExpense`, and document.
    pub fn new<A, F>(answer: A) -> Self
    where
        A: Fn(String, Bytes) -> F + Send + Sync + 'static,
        F: Future<Output = Scripted> + Send + 'static,
    {
        Self(Arc::new(move |operation, document| Box::pin(answer(operation, document))))
    }

    pub(super) async fn answer(&self, operation: &str, document: Bytes) -> Scripted {
        (self.0)(operation.to_owned(), document).await
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}
