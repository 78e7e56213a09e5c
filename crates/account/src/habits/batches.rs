//! Some entries of a batch fail.
//!
//! "Because the batch request can result in a combination of successful and unsuccessful actions,
//! you should check for batch errors even when the call returns an HTTP status code of 200": SQS
//! API reference, `DeleteMessageBatch`, and likewise
//! <https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html>.

use serde_json::{Value as Json, json};

use super::chance::Chance;

/// How many entries fail. On AWS it is far fewer.
const PERCENT: u8 = 3;
const CODE: &str = "InternalError";
const MESSAGE: &str = "We encountered an internal error. Please try again.";
/// What the names of the fields of an entry begin with, in a request to SNS.
const ENTRY: &str = "PublishBatchRequestEntries.member.";

/// The entries that fail.
#[derive(Debug)]
pub struct Batches(Chance);

impl Batches {
    /// Draws from a seed.
    pub fn new(seed: u64) -> Self {
        Self(Chance::new(seed, "batches"))
    }

    /// Takes the entries that fail out of a request to SQS, and returns what AWS says of them.
    pub fn fail(&self, request: &mut Json) -> Vec<Json> {
        let Some(entries) = request["Entries"].as_array_mut() else { return Vec::new() };
        let failed = entries.extract_if(.., |_| self.0.of(PERCENT));
        let failure = |entry: Json| {
            let id = entry["Id"].clone();
            json!({"Id": id, "SenderFault": false, "Code": CODE, "Message": MESSAGE})
        };
        failed.map(failure).collect()
    }

    /// Takes the entries that fail out of a request `PublishBatch`, and returns what AWS says of
    /// them. A FIFO topic would lose its order.
    pub fn fail_to_publish(&self, form: &mut Vec<(String, String)>) -> Vec<String> {
        let is_fifo = form.iter().any(|(name, arn)| name == "TopicArn" && arn.ends_with(".fifo"));
        let ids = form.iter().filter_map(|(name, id)| Some((id_of(name)?, id)));
        let failed: Vec<(String, String)> = ids
            .filter(|_| !is_fifo && self.0.of(PERCENT))
            .map(|(entry, id)| (format!("{ENTRY}{entry}."), id.clone()))
            .collect();
        form.retain(|(name, _)| !failed.iter().any(|(start, _)| name.starts_with(start)));
        let failure = |(_, id)| {
            format!(
                "<member><Id>{id}</Id><Code>{CODE}</Code><Message>{MESSAGE}</Message>\
                 <SenderFault>false</SenderFault></member>"
            )
        };
        failed.into_iter().map(failure).collect()
    }
}

/// Whether a request `PublishBatch` has entries.
pub fn has_entries(form: &[(String, String)]) -> bool {
    form.iter().any(|(name, _)| name.starts_with(ENTRY))
}

/// The number of the entry whose id is in the field `name`.
fn id_of(name: &str) -> Option<&str> {
    name.strip_prefix(ENTRY)?.strip_suffix(".Id")
}
