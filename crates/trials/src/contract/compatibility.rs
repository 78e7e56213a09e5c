//! Whether this release and the last one can run side by side, in any order of deployment.
//!
//! A message of either release may meet a subscriber of the other, also when it is replayed after
//! months. So whatever one of them sends, the other has to read: a type of event may get optional
//! fields, and nothing else about it may change. Subscribers ignore fields and types of events that
//! they do not know.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::schemas::{Documents, SCHEMA};

/// Keywords that limit a value, and are compared as they are.
const LIMITS: [&str; 10] = [
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "pattern",
];
/// Keywords that are for people, or are compared by themselves.
const UNDERSTOOD: [&str; 11] = [
    "$schema",
    "const",
    "description",
    "enum",
    "items",
    "oneOf",
    "properties",
    "required",
    "title",
    "type",
    "x-version",
];
const NEW_TYPE: &str = "send a new type of event beside this one, until no subscriber needs it";

/// What breaks for whom, and what to do instead: a sentence for each.
pub fn breaks(released: &Documents, today: &Documents) -> Vec<String> {
    let mut breaks = Vec::new();
    for (file, old) in released {
        let name = file.trim_end_matches(SCHEMA);
        let Some(new) = today.get(file) else {
            breaks.push(format!(
                "{name} is not sent any more: subscribers of the last release wait for it. Send \
                 it, or, if there are none, delete docs/events/released/{file}"
            ));
            continue;
        };
        let before = breaks.len();
        let is_changed = Comparison { breaks: &mut breaks }.compare(name, old, new);
        let version = |schema: &Value| schema["x-version"].as_u64().unwrap_or_default();
        if is_changed && breaks.len() == before && version(new) <= version(old) {
            breaks.push(format!(
                "{name} has changed and is still version {}: subscribers cannot tell which they \
                 have read about. Raise the version in crates/orders/src/contract.rs",
                version(new)
            ));
        }
    }
    breaks
}

/// Compares two schemas, neither of which has references.
struct Comparison<'a> {
    breaks: &'a mut Vec<String>,
}

impl Comparison<'_> {
    /// Whether two parts of the schemas differ in more than words. `path` leads to them.
    fn compare(&mut self, path: &str, old: &Value, new: &Value) -> bool {
        let before = self.breaks.len();
        let (was, is) = (types(old), types(new));
        if was != is {
            self.refuse(path, &format!(
                "was {was} and is {is}: a subscriber of either release takes what the other sends \
                 for poison. Keep the type, or {NEW_TYPE}"
            ));
        }
        self.compare_values(path, old, new);
        self.compare_limits(path, old, new);
        let is_changed = self.compare_fields(path, old, new);
        let changed_items = match (old.get("items"), new.get("items")) {
            (Some(old), Some(new)) => self.compare(&format!("{path}[]"), old, new),
            _ => false,
        };
        is_changed || changed_items || self.breaks.len() > before
    }

    fn compare_values(&mut self, path: &str, old: &Value, new: &Value) {
        let (was, is) = (values(old), values(new));
        for gone in was.difference(&is) {
            self.refuse(path, &format!(
                "cannot be {gone} any more: a message of the last release that says so would be \
                 poison. Keep the value"
            ));
        }
        for added in is.difference(&was) {
            self.refuse(path, &format!(
                "can be {added} now: a subscriber of the last release takes it for poison. Say it \
                 with a new optional field, or {NEW_TYPE}"
            ));
        }
    }

    fn compare_limits(&mut self, path: &str, old: &Value, new: &Value) {
        for keyword in LIMITS {
            let (was, is) = (old.get(keyword), new.get(keyword));
            if was == is {
                continue;
            }
            let say = |limit: Option<&Value>| limit.map_or("none".to_owned(), Value::to_string);
            let who = if is_narrower(keyword, was, is) {
                "today's subscribers take messages of the last release that are beyond it for \
                 poison"
            } else {
                "subscribers of the last release take today's messages that are beyond the old \
                 limit for poison"
            };
            self.refuse(
                path,
                &format!(
                    "has the {keyword} {} and had {}: {who}. Keep the limit, or {NEW_TYPE}",
                    say(is),
                    say(was)
                ),
            );
        }
        let keywords = [old, new].into_iter().filter_map(Value::as_object).flat_map(Map::keys);
        for keyword in keywords.map(String::as_str).collect::<BTreeSet<_>>() {
            let is_known = UNDERSTOOD.contains(&keyword) || LIMITS.contains(&keyword);
            if !is_known && old.get(keyword) != new.get(keyword) {
                self.refuse(path, &format!(
                    "changes its {keyword:?}, which this check does not understand. Teach it, in \
                     crates/trials/src/contract/compatibility.rs"
                ));
            }
        }
    }

    /// Whether there is a new field, or a field has changed.
    fn compare_fields(&mut self, path: &str, old: &Value, new: &Value) -> bool {
        let (was, is) = (fields(old), fields(new));
        let (needed, needs) = (required(old), required(new));
        let mut is_changed = false;
        for (name, schema) in &was {
            match is.get(name) {
                Some(today) => is_changed |= self.compare(&within(path, name), schema, today),
                None => self.refuse(
                    &within(path, name),
                    &format!(
                        "is gone: subscribers of the last release read it. Keep it, or {NEW_TYPE}"
                    ),
                ),
            }
        }
        for name in needs.difference(&needed) {
            self.refuse(&within(path, name), &format!(
                "is required now: messages of the last release lack it, and today's subscribers \
                 would take them for poison. Make it optional, or {NEW_TYPE}"
            ));
        }
        for name in needed.difference(&needs).filter(|name| is.contains_key(**name)) {
            self.refuse(&within(path, name), &format!(
                "is optional now: subscribers of the last release take a message without it for \
                 poison. Always send it, or {NEW_TYPE}"
            ));
        }
        is_changed || is.keys().any(|name| !was.contains_key(name))
    }

    fn refuse(&mut self, path: &str, sentence: &str) {
        self.breaks.push(format!("{path} {sentence}"));
    }
}

/// Whether the second limit lets fewer values through.
fn is_narrower(keyword: &str, was: Option<&Value>, is: Option<&Value>) -> bool {
    match (was.and_then(Value::as_f64), is.and_then(Value::as_f64)) {
        (Some(was), Some(is)) if keyword.to_lowercase().starts_with("max") => is < was,
        (Some(was), Some(is)) => is > was,
        // A pattern or a format: that there is one now is all that can be said.
        _ => is.is_some(),
    }
}

/// The types of a value, in words.
fn types(schema: &Value) -> String {
    // Values with a description each are alternatives of one type.
    let of_alternatives = || schema["oneOf"].get(0)?.get("type");
    match schema.get("type").or_else(of_alternatives) {
        Some(Value::String(name)) => name.clone(),
        Some(names) => names.to_string(),
        None => "anything".to_owned(),
    }
}

/// The values that are allowed, if they are listed, in an `enum` or as described alternatives.
fn values(schema: &Value) -> BTreeSet<String> {
    let list = |name: &str| schema.get(name).and_then(Value::as_array).into_iter().flatten();
    let constants = list("oneOf").map(|alternative| &alternative["const"]);
    list("enum").chain(constants).chain(schema.get("const")).map(Value::to_string).collect()
}

fn fields(schema: &Value) -> BTreeMap<&str, &Value> {
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields.map(|(name, schema)| (name.as_str(), schema)).collect()
}

fn required(schema: &Value) -> BTreeSet<&str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn within(path: &str, name: &str) -> String {
    format!("{path}: the field {name:?}")
}
