//! Textract by its SDK, with answers by a script.

use std::sync::{Arc, Mutex};

use aws_sdk_textract::{
    Client,
    error::ProvideErrorMetadata as _,
    primitives::Blob,
    types::{Document, S3Object},
};
use hyper::StatusCode;
use serde_json::json;

use super::{s3::Receipts, *};
use crate::endpoint::Script;

/// The head of a PNG whose sides have this many pixels.
fn png(width: u32, height: u32) -> Vec<u8> {
    let head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    [&head[..], &width.to_be_bytes(), &height.to_be_bytes(), b"\x08\0\0\0\0"].concat()
}

struct Scripted {
    receipts: Receipts,
    scanner: Client,
    /// What the script was asked.
    asked: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Scripted {
    async fn new() -> Self {
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let noted = Arc::clone(&asked);
        let script = Script::new(move |operation, document| {
            noted.lock().unwrap().push((operation.clone(), document.len()));
            let page = json!({"Blocks": [{"BlockType": "LINE", "Text": "TOTAL 12.34"}]});
            let refusal = json!({"__type": "ProvisionedThroughputExceededException"});
            std::future::ready(match operation.as_str() {
                "DetectDocumentText" => (StatusCode::OK, page),
                _ => (StatusCode::BAD_REQUEST, refusal),
            })
        });
        let receipts = Receipts::with(&Settings::loopback(0).scripted(script)).await;
        let scanner = client(&receipts, "scanner").await;
        Self { receipts, scanner, asked }
    }

    async fn store(&self, key: &str, bytes: Vec<u8>) {
        let put = self.receipts.administrator.put_object().bucket(&self.receipts.bucket).key(key);
        put.body(bytes.into()).send().await.unwrap();
    }

    fn stored(&self, key: &str) -> Document {
        let object = S3Object::builder().bucket(&self.receipts.bucket).name(key).build();
        Document::builder().s3_object(object).build()
    }

    /// The code of the error.
    async fn refusal(&self, document: Document) -> String {
        let answer = self.scanner.detect_document_text().document(document).send().await;
        answer.unwrap_err().code().unwrap_or_default().to_owned()
    }
}

async fn client(receipts: &Receipts, service: &str) -> Client {
    let service = receipts.account.service(service).unwrap();
    let config = receipts.endpoint.target().config_of(service).await;
    let config = aws_sdk_textract::config::Builder::from(&config);
    let once = aws_sdk_textract::config::retry::RetryConfig::disabled();
    Client::from_conf(config.retry_config(once).build())
}

fn sent(bytes: Vec<u8>) -> Document {
    Document::builder().bytes(Blob::new(bytes)).build()
}

#[tokio::test]
async fn a_script_answers_for_documents_in_requests_and_in_s3() {
    let aws = Scripted::new().await;
    let text = aws.scanner.detect_document_text().document(sent(png(600, 900)));
    assert_eq!(text.send().await.unwrap().blocks()[0].text(), Some("TOTAL 12.34"));
    aws.store("1.png", [png(600, 900), vec![0; 6 << 20]].concat()).await;
    let expense = aws.scanner.analyze_expense().document(aws.stored("1.png")).send().await;
    assert_eq!(expense.unwrap_err().code(), Some("ProvisionedThroughputExceededException"));
    let head = png(600, 900).len();
    let asked = [("DetectDocumentText", head), ("AnalyzeExpense", head + (6 << 20))];
    let asked = asked.map(|(operation, length)| (operation.to_owned(), length));
    assert_eq!(*aws.asked.lock().unwrap(), asked);
}

#[tokio::test]
async fn what_textract_does_not_read_is_refused_before_anything_reads_it() {
    let aws = Scripted::new().await;
    let cases = [
        (sent(b"a text named .png".to_vec()), "UnsupportedDocumentException"),
        (sent(b"GIF89a".to_vec()), "UnsupportedDocumentException"),
        (sent(png(600, 900)[..10].to_vec()), "BadDocumentException"),
        (sent(png(10_001, 1)), "BadDocumentException"),
        (sent(png(10_000, 10_000)), "BadDocumentException"),
        (sent([png(600, 900), vec![0; 5 << 20]].concat()), "DocumentTooLargeException"),
        (aws.stored("missing"), "InvalidS3ObjectException"),
        (Document::builder().build(), "InvalidParameterException"),
    ];
    for (document, code) in cases {
        assert_eq!(aws.refusal(document.clone()).await, code, "{document:?}");
    }
    aws.store("large.png", [png(600, 900), vec![0; 10 << 20]].concat()).await;
    assert_eq!(aws.refusal(aws.stored("large.png")).await, "DocumentTooLargeException");
    assert!(aws.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn textract_needs_the_permission_to_call_it_and_to_read_the_object() {
    let aws = Scripted::new().await;
    let web = client(&aws.receipts, "web").await;
    let refused = web.detect_document_text().document(sent(png(600, 900))).send().await;
    let error = refused.unwrap_err();
    assert_eq!(error.code(), Some("AccessDeniedException"));
    assert!(error.message().unwrap().contains("textract:DetectDocumentText"), "{error:?}");
    aws.store("1.png", png(600, 900)).await;
    aws.scanner.detect_document_text().document(aws.stored("1.png")).send().await.unwrap();
    let policy = format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Deny", "Principal": "*",
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{}/*"}}}}"#,
        aws.receipts.bucket
    );
    let set = aws.receipts.administrator.put_bucket_policy().bucket(&aws.receipts.bucket);
    set.policy(policy).send().await.unwrap();
    assert_eq!(aws.refusal(aws.stored("1.png")).await, "InvalidS3ObjectException");
}
