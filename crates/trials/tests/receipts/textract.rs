//! Pictures that say what Textract makes of them, and a Textract that does so.
#![allow(dead_code, reason = "each suite uses a part of it")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use account::endpoint::Script;
use hyper::{StatusCode, body::Bytes};
use jiff::{Timestamp, tz::Offset};
use serde_json::{Value, json};
use tokio::time::sleep;

const TEXT_AT: usize = 33;

/// A picture of this size, as far as its head says, with a text in place of pixels.
pub fn png(width: u32, height: u32, text: &str) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes.len(), TEXT_AT);
    bytes.extend(text.as_bytes());
    bytes
}

/// A picture of a usual size.
pub fn picture(text: &str) -> Vec<u8> {
    png(600, 900, text)
}

/// How Textract is, and what it was asked. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Textract {
    /// Whether it is unavailable.
    pub is_down: Arc<AtomicBool>,
    calls: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Textract {
    /// How often a picture with this text was to be analysed as an expense.
    pub fn calls(&self, text: &str) -> usize {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.get(text).copied().unwrap_or_default()
    }

    pub fn script(&self) -> Script {
        let textract = self.clone();
        Script::new(move |operation, document| textract.clone().answer(operation, document))
    }

    /// The first word of the picture's text says what is done with it; the rest tells pictures
    /// apart.
    async fn answer(self, operation: String, document: Bytes) -> (StatusCode, Value) {
        let text = String::from_utf8_lossy(document.get(TEXT_AT..).unwrap_or_default());
        if self.is_down.load(Ordering::SeqCst) {
            let message = "Textract is being repaired";
            return error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message);
        }
        let is_expense = operation == "AnalyzeExpense";
        if is_expense {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            *calls.entry(text.to_string()).or_default() += 1;
        }
        match text.split(' ').next().unwrap_or_default() {
            "slow" if is_expense => sleep(Duration::from_secs(5)).await,
            "hanging" => sleep(Duration::from_secs(60)).await,
            _ => {}
        }
        match text.split(' ').next().unwrap_or_default() {
            "text" if is_expense => (StatusCode::OK, json!({"ExpenseDocuments": []})),
            "text" => (StatusCode::OK, text_in_lines()),
            "refused" => {
                let message = "Request has unsupported document format";
                error(StatusCode::BAD_REQUEST, "UnsupportedDocumentException", message)
            }
            "wrong" => (StatusCode::OK, expense("5.20")),
            _ => (StatusCode::OK, expense("4.20")),
        }
    }
}

fn error(status: StatusCode, code: &str, message: &str) -> (StatusCode, Value) {
    (status, json!({"__type": code, "message": message}))
}

fn today() -> String {
    Offset::UTC.to_datetime(Timestamp::now()).date().to_string()
}

fn expense(total: &str) -> Value {
    let field = |name, text: &str| {
        let (kind, value) = (json!({"Text": name, "Confidence": 99}), json!({"Text": text}));
        json!({"Type": kind, "ValueDetection": value})
    };
    let line = |item, price| {
        let fields = [field("ITEM", item), field("PRICE", price)];
        json!({"LineItemExpenseFields": fields})
    };
    json!({"DocumentMetadata": {"Pages": 1}, "ExpenseDocuments": [{
        "ExpenseIndex": 1,
        "SummaryFields": [
            field("VENDOR_NAME", "CORNER SHOP"),
            field("INVOICE_RECEIPT_DATE", &today()),
            field("TOTAL", &format!("EUR {total}")),
        ],
        "LineItemGroups": [{"LineItems": [line("Milk", "1.20"), line("Dark\nbread", "3.00")]}],
    }]})
}

fn text_in_lines() -> Value {
    let date = format!("Date {}", today());
    let lines = [
        ("THE BAKERY", 0.3, 0.1),
        (&*date, 0.1, 0.2),
        ("Cake", 0.1, 0.3),
        ("7.00", 0.8, 0.3),
        ("TOTAL", 0.1, 0.4),
        ("7.00", 0.8, 0.4),
    ];
    let blocks = lines.map(|(text, left, top)| {
        let place = json!({"Left": left, "Top": top, "Width": 0.1, "Height": 0.05});
        json!({"BlockType": "LINE", "Text": text, "Geometry": {"BoundingBox": place}})
    });
    json!({"DocumentMetadata": {"Pages": 1}, "Blocks": blocks})
}
