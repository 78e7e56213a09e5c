//! Which messages a subscription wants: a filter policy of SNS, over message attributes.
//!
//! The rules are in the SNS developer guide, "Amazon SNS subscription filter policies".

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

use super::yaml::{ShortOr, wrong};

/// SNS reads numbers between plus and minus this.
const LIMIT: f64 = 1e9;

/// For each attribute, the conditions of which one has to hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FilterPolicy(BTreeMap<String, Vec<Condition>>);

impl FilterPolicy {
    /// The policy as SNS reads it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a policy has only texts and numbers in it")
    }
}

/// One condition: a value to equal, or an operator.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Condition {
    Equal(Value),
    Operator(Operator),
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match ShortOr::deserialize(deserializer)? {
            ShortOr::Short(value) => Self::Equal(value),
            ShortOr::Long(operator) => Self::Operator(operator),
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a text, a number, true or false")]
enum Value {
    Bool(bool),
    Number(Number),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Operator {
    Numeric(Numeric),
    Prefix(String),
    Suffix(String),
    Exists(bool),
    AnythingBut(Vec<Value>),
    EqualsIgnoreCase(String),
    Cidr(String),
}

/// Comparisons that all have to hold: `[">=", 80]` or `[">", 0, "<=", 100]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
struct Numeric(Vec<Value>);

impl<'de> Deserialize<'de> for Numeric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::deserialize(deserializer)?;
        check(&values).map_err(wrong)?;
        Ok(Self(values))
    }
}

fn check(values: &[Value]) -> Result<(), String> {
    let (pairs, rest) = values.as_chunks::<2>();
    if pairs.is_empty() || pairs.len() > 2 || !rest.is_empty() {
        return Err("numeric takes a comparison and a number, once or twice".to_owned());
    }
    let mut bounds = Vec::new();
    for [operator, number] in pairs {
        bounds.push((comparison(operator)?, limit(number)?));
    }
    match bounds[..] {
        [_] => Ok(()),
        [(lower, from), (upper, to)]
            if lower.starts_with('>') && upper.starts_with('<') && from < to =>
        {
            Ok(())
        }
        _ => Err("numeric takes a range as a lower bound and then a higher one".to_owned()),
    }
}

fn comparison(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) if ["=", "<", "<=", ">", ">="].contains(&text.as_str()) => Ok(text),
        other => Err(format!("{} is not one of =, <, <=, > and >=", json(other))),
    }
}

fn limit(value: &Value) -> Result<f64, String> {
    match value {
        Value::Number(number) => (number.as_f64())
            .filter(|number| number.abs() <= LIMIT)
            .ok_or_else(|| format!("{number} is not between -10⁹ and 10⁹")),
        other => Err(format!(
            "{} is not a number; write it without quotes",
            json(other)
        )),
    }
}

fn json(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
