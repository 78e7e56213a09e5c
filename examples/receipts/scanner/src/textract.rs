//! Reading by Amazon Textract: as an expense, or else as text with rules of our own.

use std::time::Duration;

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_textract::{
    Client,
    error::{ProvideErrorMetadata as _, SdkError},
    operation::{
        analyze_expense::{AnalyzeExpenseError, AnalyzeExpenseOutput},
        detect_document_text::DetectDocumentTextError,
    },
    types::{BlockType, Document, ExpenseField},
};
use pubsub::unavailable::call_failed;
use receipts::{
    Line, Reading,
    rules::{self, Printed},
};

/// How long Textract may take for a page. It usually needs some seconds.
const PATIENCE: Duration = Duration::from_secs(45);

/// Why a picture was not read.
#[derive(Debug)]
pub enum Refused {
    /// The picture is gone.
    Gone,
    /// It cannot be read, for this reason: a sentence for the person who sent it.
    Unreadable(String),
    /// Something else failed.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Amazon Textract.
pub struct Textract(Client);

impl Textract {
    pub fn new(aws: &SdkConfig) -> Self {
        let patient = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).build();
        Self(Client::new(&aws.to_builder().timeout_config(patient).build()))
    }

    /// Reads a receipt. What Textract does not understand as an expense is read as text.
    pub async fn read(&self, document: Document) -> Result<Reading, Refused> {
        let expense = self.0.analyze_expense().document(document.clone()).send().await;
        let reading = understood(&expense.map_err(expense_refused)?);
        if reading.total.is_some() && !reading.lines.is_empty() {
            return Ok(reading);
        }
        let text = self.0.detect_document_text().document(document).send().await;
        let text = text.map_err(text_refused)?;
        let lines =
            text.blocks().iter().filter(|block| block.block_type() == Some(&BlockType::Line));
        let printed = lines.filter_map(|line| {
            let place = line.geometry()?.bounding_box()?;
            let text = line.text()?.to_owned();
            Some(Printed { text, left: place.left(), top: place.top(), height: place.height() })
        });
        Ok(rules::read(&printed.collect::<Vec<_>>()))
    }
}

/// What Textract says of an expense.
fn understood(output: &AnalyzeExpenseOutput) -> Reading {
    let Some(expense) = output.expense_documents().first() else { return Reading::default() };
    let field = |name| text(expense.summary_fields(), name);
    let groups = expense.line_item_groups().iter();
    let items = groups.flat_map(|group| group.line_items());
    let lines = items.filter_map(|item| {
        let fields = item.line_item_expense_fields();
        let item = text(fields, "ITEM")?.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(Line { item, price: rules::price(text(fields, "PRICE")?)? })
    });
    Reading {
        merchant: field("VENDOR_NAME").map(str::to_owned),
        date: field("INVOICE_RECEIPT_DATE").and_then(rules::date),
        lines: lines.collect(),
        total: field("TOTAL").or_else(|| field("AMOUNT_PAID")).and_then(rules::price),
    }
}

fn text<'a>(fields: &'a [ExpenseField], name: &str) -> Option<&'a str> {
    let mut named = fields.iter().filter(|it| it.r#type().and_then(|it| it.text()) == Some(name));
    named.find_map(|field| field.value_detection()?.text())
}

fn expense_refused(error: SdkError<AnalyzeExpenseError>) -> Refused {
    refusal(error.code())
        .unwrap_or_else(|| call_failed(error).context("reading the expense").into())
}

fn text_refused(error: SdkError<DetectDocumentTextError>) -> Refused {
    refusal(error.code()).unwrap_or_else(|| call_failed(error).context("reading the text").into())
}

/// What it means for the person who sent the picture, if the picture is at fault.
fn refusal(code: Option<&str>) -> Option<Refused> {
    let why = match code? {
        "UnsupportedDocumentException" => {
            "The file cannot be read. A PDF must have one page and no password."
        }
        "BadDocumentException" => "The file is damaged. Take the picture again, and send that.",
        "DocumentTooLargeException" => "The file is too large to be read. Send a smaller picture.",
        "InvalidS3ObjectException" => return Some(Refused::Gone),
        _ => return None,
    };
    Some(Refused::Unreadable(why.to_owned()))
}
