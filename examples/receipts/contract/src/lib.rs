//! What the two services agree on: a picture and its event, the scanner's progress and verdict, and
//! when a receipt is accepted.
//!
//! An event never contains a picture. It says where the picture is, which is called a claim check.

use jiff::{Timestamp, civil::Date, fmt::serde::timestamp::millisecond};
use pubsub::topic::{Attribute, Message};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub mod rules;

pub mod check;

/// The topic of stored receipts, as the manifest of `web` names it.
pub const RECEIPTS_TOPIC: &str = "receiptsTopic";
/// The topic of progress, as the manifest of `scanner` names it.
pub const PROGRESS_TOPIC: &str = "receiptProgress";
/// The message attribute that holds the type of the event.
const EVENT_TYPE: &str = "event_type";

/// A receipt that was stored, and where its picture is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The receipt.
    pub id: Uuid,
    /// Its picture.
    pub picture: Picture,
}

/// Where a picture is, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// The format, such as `image/png`, by its content.
    pub media_type: String,
    /// How large it is.
    pub bytes: u64,
    /// Its SHA-256, in Base64.
    pub sha256: String,
}

/// What the scanner did with a receipt in one attempt, so far. Each message has all steps, so the
/// latest one of an attempt says everything that the others say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The receipt.
    pub receipt_id: Uuid,
    /// The steps; the first says when the attempt began.
    pub steps: Vec<Step>,
    /// Why it goes no further at the moment, as a sentence for the person who waits.
    pub held_up: Option<String>,
    /// The end.
    pub verdict: Option<Verdict>,
}

/// A step of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What was reached, such as `reading` or `found 12 lines`.
    pub name: String,
    /// How much of the whole is done, in percent.
    pub percent: u8,
    /// When, by the scanner's clock.
    #[serde(with = "millisecond::required")]
    pub at: Timestamp,
}

/// How a receipt ended. There is one for each receipt: the first that is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It can be paid.
    Accepted(Purchase),
    /// It cannot, for this reason: a sentence for the person who sent it.
    Rejected(String),
    /// The person who sent it took it back.
    Cancelled,
}

/// What an accepted receipt says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Purchase {
    /// The shop.
    pub merchant: String,
    /// The day.
    pub date: Date,
    /// What was bought.
    pub lines: Vec<Line>,
    /// What was paid.
    pub total: Decimal,
}

/// What was read from a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The shop.
    pub merchant: Option<String>,
    /// The day of the purchase.
    pub date: Option<Date>,
    /// What was bought.
    pub lines: Vec<Line>,
    /// What was paid.
    pub total: Option<Decimal>,
}

/// A line of a receipt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What it is.
    pub item: String,
    /// What it costs.
    pub price: Decimal,
}

impl Verdict {
    /// It in one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Rejected(_) => "rejected",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Stored {
    /// The message that announces it.
    pub fn message(&self) -> Message {
        message(self, "receipt.stored", self.id, self.id.to_string())
    }
}

impl Progress {
    /// A number that grows with each message about a receipt, also from one attempt to the next.
    pub fn order(&self) -> i64 {
        let began = self.steps.first().map_or(0, |step| step.at.as_millisecond());
        let said = 2 * self.steps.len() + usize::from(self.held_up.is_some());
        began * 100 + i64::try_from(said).unwrap_or(99).min(99)
    }

    /// The message that reports it.
    pub fn message(&self) -> Message {
        let name = if self.verdict.is_some() { "receipt.scanned" } else { "receipt.progress" };
        message(self, name, self.receipt_id, format!("{}-{}", self.receipt_id, self.order()))
    }
}

fn message(body: &impl Serialize, event_type: &str, id: Uuid, deduplication_id: String) -> Message {
    Message {
        body: serde_json::to_string(body).expect("it consists of texts and numbers"),
        attributes: vec![(EVENT_TYPE, Attribute::Text(event_type.to_owned()))],
        group: id.to_string(),
        deduplication_id,
    }
}
