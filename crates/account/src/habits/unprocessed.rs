//! `BatchGetItem` leaves keys for another request.
//!
//! It "returns a partial result if […] more than 1MB per partition is requested, or an internal
//! processing failure occurs", with the others in `UnprocessedKeys`:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>

use serde_json::{Map, Value as Json, json};

use super::chance::Chance;

/// How many requests leave some of their keys.
const PERCENT: u8 = 30;

/// The keys that are left.
#[derive(Debug)]
pub struct Unprocessed(Chance);

impl Unprocessed {
    /// Draws from a seed.
    pub fn new(seed: u64) -> Self {
        Self(Chance::new(seed, "unprocessed"))
    }

    /// Takes keys out of a request, and returns them as AWS does. At least one of each table stays.
    pub fn leave(&self, request: &mut Json) -> Json {
        let mut left = Map::new();
        for (table, asked) in request["RequestItems"].as_object_mut().into_iter().flatten() {
            let mut rest = asked.clone();
            let Some(keys) = asked["Keys"].as_array_mut().filter(|keys| keys.len() > 1) else {
                continue;
            };
            if self.0.of(PERCENT) {
                let kept = self.0.number(1..=keys.len() as u64 - 1) as usize;
                rest["Keys"] = json!(keys.split_off(kept));
                left.insert(table.clone(), rest);
            }
        }
        left.into()
    }
}
