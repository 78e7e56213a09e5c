//! A receipt, as it is stored and as it is shown.

use anyhow::Context as _;
use jiff::Timestamp;
use outbox::Item;
use receipts::{Progress, Step, Stored, Verdict};
use serde::{Serialize, de::DeserializeOwned};
use web::watch::Watched;

/// A receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Its id and its picture.
    pub stored: Stored,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// The trace of the request that stored it.
    pub traceparent: Option<String>,
    /// The scanner's latest attempt.
    pub progress: Option<Progress>,
    /// The end.
    pub verdict: Option<Verdict>,
    /// A number that grows with each change.
    pub version: u64,
}

impl Receipt {
    /// A receipt that was just stored.
    pub fn new(stored: Stored, stored_at: Timestamp) -> Self {
        let (traceparent, progress, verdict) = (None, None, None);
        Self { stored, stored_at, traceparent, progress, verdict, version: 1 }
    }

    /// The receipt in an item.
    ///
    /// # Errors
    ///
    /// If the item is not a receipt.
    pub fn read(item: &Item) -> anyhow::Result<Self> {
        let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<i64>().ok();
        let stored_at = number("stored_at").and_then(|it| Timestamp::from_millisecond(it).ok());
        Ok(Self {
            stored: json(item, "stored")?.context("the item has no receipt")?,
            stored_at: stored_at.context("the item has no time")?,
            traceparent: item.get("traceparent").and_then(|it| it.as_s().ok()).cloned(),
            progress: json(item, "progress")?,
            verdict: json(item, "verdict")?,
            version: number("version").context("the item has no version")?.cast_unsigned(),
        })
    }

    /// How it is shown.
    pub fn view(&self) -> View {
        let stored = Step { name: "stored".to_owned(), percent: 5, at: self.stored_at };
        let scanned = self.progress.iter().flat_map(|progress| progress.steps.iter().cloned());
        let steps: Vec<_> = std::iter::once(stored).chain(scanned).collect();
        let held_up = self.progress.as_ref().and_then(|it| it.held_up.clone());
        View {
            id: self.stored.id.to_string(),
            media_type: self.stored.picture.media_type.clone(),
            percent: if self.verdict.is_some() {
                100
            } else {
                steps.last().map_or(0, |it| it.percent)
            },
            state: match &self.verdict {
                Some(verdict) => verdict.name(),
                None if held_up.is_some() => "held up",
                None if self.progress.is_some() => "being scanned",
                None => "waiting",
            },
            steps,
            held_up: held_up.filter(|_| self.verdict.is_none()),
            verdict: self.verdict.clone(),
        }
    }
}

fn json<T: DeserializeOwned>(item: &Item, name: &str) -> anyhow::Result<Option<T>> {
    let text = item.get(name).and_then(|value| value.as_s().ok());
    let read = text.map(|text| serde_json::from_str(text)).transpose();
    read.with_context(|| format!("the {name} of a stored receipt cannot be read"))
}

impl Watched for Receipt {
    fn version(&self) -> u64 {
        self.version
    }

    fn is_settled(&self) -> bool {
        self.verdict.is_some()
    }
}

/// A receipt as pages and programs see it.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    pub id: String,
    pub media_type: String,
    pub percent: u8,
    pub state: &'static str,
    pub steps: Vec<Step>,
    pub held_up: Option<String>,
    pub verdict: Option<Verdict>,
}
