//! Filter policies of SNS: which messages a subscription receives, by their attributes.
//!
//! The rules are in the SNS developer guide, "Amazon SNS subscription filter policies".

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};
use serde_json::Number;

use crate::yaml::{Scalar, ShortOr, wrong};

/// SNS accepts numbers from minus this to plus this.
const LIMIT: f64 = 1e9;

/// The conditions on each attribute; at least one condition has to hold for each of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FilterPolicy(BTreeMap<String, Vec<Condition>>);

impl FilterPolicy {
    /// The number of attributes that it has conditions on.
    pub fn attributes(&self) -> usize {
        self.0.len()
    }

    /// The policy in the format of SNS.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a policy contains only texts, numbers and maps")
    }

    /// The lower bound on the number in `attribute`: 80 for `numeric: [">=", 80]`, and for `>` too.
    ///
    /// `None` if a message can pass with any lower number, or without a number.
    pub fn lower_bound(&self, attribute: &str) -> Option<&Number> {
        let bounds = self.0.get(attribute)?.iter().map(Condition::lower_bound);
        // One condition suffices, so the policy has a bound only if each of them has one.
        let bounds = bounds.collect::<Option<Vec<_>>>()?;
        bounds.into_iter().min_by(|one, other| {
            one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal)
        })
    }
}

/// A condition: a value that the attribute equals, or an operator.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Condition {
    Equal(Value),
    Operator(Operator),
}

impl Condition {
    fn lower_bound(&self) -> Option<&Number> {
        match self {
            Self::Equal(Value::Number(number)) => Some(number),
            Self::Operator(Operator::Numeric(Numeric(bounds))) => bounds
                .iter()
                .find(|(Comparison(comparison), _)| ["=", ">", ">="].contains(&comparison.as_str()))
                .map(|(_, Limit(number))| number),
            _ => None,
        }
    }
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
    AnythingBut(Others),
    Wildcard(String),
    EqualsIgnoreCase(String),
    Cidr(String),
}

/// A value or more, or what a value begins or ends with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a value, a list of values, or {prefix: …}, {suffix: …}, {wildcard: …}"
)]
enum Others {
    One(Value),
    Many(Vec<Value>),
    Like(Likeness),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Likeness {
    Prefix(String),
    Suffix(String),
    Wildcard(String),
}

/// One comparison or two, which both have to hold: `[">=", 80]` or `[">", 0, "<=", 100]`.
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
            _ => Err(wrong("a range is a lower bound, then a higher one")),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::FilterPolicy;
    use crate::yaml;

    #[test]
    fn the_lower_bound_is_the_least_number_that_can_pass() {
        let examples = [
            (r#"{amount: [{numeric: [">=", 80]}]}"#, Some("80")),
            (r#"{amount: [{numeric: [">", 0.5, "<=", 100]}]}"#, Some("0.5")),
            (r#"{amount: [{numeric: [">=", 80]}, {numeric: ["=", 9]}, 12]}"#, Some("9")),
            (r#"{amount: [{numeric: ["<", 80]}]}"#, None),
            (r#"{amount: [{numeric: [">=", 80]}, {exists: false}]}"#, None),
            (r#"{amount: [large], total: [{numeric: [">=", 80]}]}"#, None),
            (r#"{amount: [{numeric: [">=", 80]}], kind: [{anything-but: a}]}"#, Some("80")),
            ("{amount: [{wildcard: 8*}], kind: [{anything-but: [a, 1]}]}", None),
            ("{amount: [{anything-but: {prefix: a}}]}", None),
            ("{}", None),
        ];
        for (text, expected) in examples {
            let policy: FilterPolicy = yaml::parse(Path::new("policy"), text).unwrap();
            let bound = policy.lower_bound("amount").map(ToString::to_string);
            assert_eq!(bound.as_deref(), expected, "{text}");
        }
    }
}
