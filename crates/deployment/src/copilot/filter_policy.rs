//! Which messages a subscription wants: a filter policy of SNS, over message attributes.
//!
//! The rules are in the SNS developer guide, "Amazon SNS subscription filter policies".

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};
use serde_json::Number;

use super::yaml::{Scalar, ShortOr, wrong};

/// SNS reads numbers between plus and minus this.
const LIMIT: f64 = 1e9;

/// For each attribute, the conditions of which one has to hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FilterPolicy(BTreeMap<String, Vec<Condition>>);

impl FilterPolicy {
    /// How many attributes it looks at.
    pub fn attributes(&self) -> usize {
        self.0.len()
    }

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
#[serde(into = "Vec<Value>")]
struct Numeric(Vec<(Comparison, Limit)>);

impl From<Numeric> for Vec<Value> {
    fn from(Numeric(bounds): Numeric) -> Self {
        let values = |(Comparison(text), Limit(number))| [Value::Text(text), Value::Number(number)];
        bounds.into_iter().flat_map(values).collect()
    }
}

impl<'de> Deserialize<'de> for Numeric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(NumericVisitor)
    }
}

struct NumericVisitor;

impl<'de> Visitor<'de> for NumericVisitor {
    type Value = Numeric;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a comparison and a number, once or twice")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Numeric, A::Error> {
        let mut bounds: Vec<(Comparison, Limit)> = Vec::new();
        while let Some(comparison) = list.next_element()? {
            let number = list.next_element()?;
            bounds.push((comparison, number.ok_or_else(|| wrong("a number is missing"))?));
        }
        match &bounds[..] {
            [_] => Ok(Numeric(bounds)),
            [(Comparison(lower), from), (Comparison(upper), to)]
                if lower.starts_with('>')
                    && upper.starts_with('<')
                    && from.0.as_f64() < to.0.as_f64() =>
            {
                Ok(Numeric(bounds))
            }
            _ => Err(wrong("a range is a lower bound and then a higher one")),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Comparison(String);

impl<'de> Deserialize<'de> for Comparison {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Scalar(text) = Scalar::deserialize(deserializer)?;
        if ["=", "<", "<=", ">", ">="].contains(&text.as_str()) {
            Ok(Self(text))
        } else {
            Err(wrong(format!("{text:?} is not one of =, <, <=, > and >=")))
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Limit(Number);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) if number.as_f64().is_some_and(|it| it.abs() <= LIMIT) => {
                Ok(Self(number))
            }
            Value::Number(number) => Err(wrong(format!("{number} is not between -10⁹ and 10⁹"))),
            Value::Text(text) => {
                Err(wrong(format!("{text:?} is not a number: write it without quotes")))
            }
            Value::Bool(truth) => Err(wrong(format!("{truth} is not a number"))),
        }
    }
}
