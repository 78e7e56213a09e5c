//! Differences between two values, each as a sentence.

use std::collections::BTreeSet;

use serde_json::Value as Json;

/// What differs between the two portraits.
pub fn differences(copilot: &Json, infrastructure: &Json) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    compare("", Some(copilot), Some(infrastructure), &mut found);
    found
}

fn compare(path: &str, one: Option<&Json>, other: Option<&Json>, found: &mut BTreeSet<String>) {
    match (one, other) {
        (Some(one), Some(other)) if one == other => {}
        (Some(Json::Object(one)), Some(Json::Object(other))) => {
            let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}, {key}") };
                compare(&path, one.get(key), other.get(key), found);
            }
        }
        (Some(one), Some(other)) => {
            let sentence = format!("{path}: copilot/ has {one}, infrastructure/ has {other}");
            found.insert(sentence);
        }
        (Some(one), None) => drop(found.insert(format!("{path}: only copilot/ has it, {one}"))),
        (None, Some(other)) => {
            found.insert(format!("{path}: only infrastructure/ has it, {other}"));
        }
        (None, None) => {}
    }
}
