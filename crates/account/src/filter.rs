//! Whether a message matches a filter policy of SNS, as the SNS of the embedded account decides it.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, bail, ensure};
use rustack_sns_core::{filter::evaluate_filter_policy, subscription::FilterPolicyScope};
use rustack_sns_model::types::MessageAttributeValue;
use serde_json::Value;

/// The operators that are evaluated. SNS has others.
const OPERATORS: [&str; 5] = ["anything-but", "exists", "numeric", "prefix", "suffix"];

/// What a subscription wants.
#[derive(Clone, Debug)]
pub struct Filter {
    policy: String,
    scope: FilterPolicyScope,
}

/// A message attribute.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Such as `String` or `Number`.
    pub kind: String,
    /// Its value.
    pub value: String,
}

impl Filter {
    /// The filter with the values of `FilterPolicy` and `FilterPolicyScope` of a subscription.
    ///
    /// # Errors
    ///
    /// If the policy has something that is not evaluated here, so that it would match too little.
    pub fn new(policy: &str, scope: Option<&str>) -> anyhow::Result<Self> {
        let read: Value = serde_json::from_str(policy).context("the filter policy is no JSON")?;
        for (key, conditions) in read.as_object().context("the filter policy is no object")? {
            let Some(conditions) = conditions.as_array() else {
                bail!("the filter policy has {key:?}, which is not evaluated here");
            };
            for condition in conditions {
                ensure!(is_known(condition), "{condition} of {key:?} is not evaluated here");
            }
        }
        let scope = FilterPolicyScope::parse(scope.unwrap_or_default());
        Ok(Self { policy: policy.to_owned(), scope })
    }

    /// Whether it lets a message through.
    pub fn matches(&self, attributes: &BTreeMap<String, Attribute>, message: &str) -> bool {
        let attributes: HashMap<_, _> = (attributes.iter())
            .map(|(name, Attribute { kind, value })| {
                let (data_type, string_value) = (kind.clone(), Some(value.clone()));
                let value = MessageAttributeValue { data_type, string_value, binary_value: None };
                (name.clone(), value)
            })
            .collect();
        // The policy was checked; what is left is a body that is no JSON object, and that does not
        // match a policy for bodies.
        evaluate_filter_policy(&self.policy, &self.scope, &attributes, message).unwrap_or(false)
    }
}

fn is_known(condition: &Value) -> bool {
    match condition {
        Value::String(_) | Value::Number(_) => true,
        Value::Object(operator) => operator
            .iter()
            .all(|(name, operand)| OPERATORS.contains(&name.as_str()) && !operand.is_object()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(amount: &str) -> BTreeMap<String, Attribute> {
        let number = Attribute { kind: "Number".to_owned(), value: amount.to_owned() };
        let text = Attribute { kind: "String".to_owned(), value: "order.placed".to_owned() };
        [("amount".to_owned(), number), ("event_type".to_owned(), text)].into()
    }

    #[test]
    fn a_message_matches_as_sns_says() {
        let of_80 = [
            (r#"{"amount": [{"numeric": [">=", 80]}]}"#, true),
            (r#"{"amount": [{"numeric": [">", 80]}]}"#, false),
            (r#"{"amount": [{"numeric": [">", 0, "<", 80]}, 80]}"#, true),
            (r#"{"event_type": [{"prefix": "order."}]}"#, true),
            (r#"{"event_type": [{"suffix": ".placed"}], "amount": [79]}"#, false),
            (r#"{"event_type": [{"anything-but": ["ping"]}]}"#, true),
            (r#"{"event_type": [{"anything-but": "order.placed"}]}"#, false),
            (r#"{"customer": [{"exists": false}]}"#, true),
            (r#"{"customer": ["Ada"]}"#, false),
            ("{}", true),
        ];
        for (policy, expected) in of_80 {
            let filter = Filter::new(policy, None).unwrap();
            assert_eq!(filter.matches(&attributes("80.00"), "{}"), expected, "{policy}");
        }
        let bodies = Filter::new(r#"{"customer": ["Ada"]}"#, Some("MessageBody")).unwrap();
        for (message, expected) in [(r#"{"customer": "Ada"}"#, true), ("{}", false), ("", false)] {
            assert_eq!(bodies.matches(&attributes("80"), message), expected, "{message}");
        }
    }

    #[test]
    fn what_is_not_evaluated_is_refused_rather_than_left_out() {
        for policy in [
            r#"{"ip": [{"cidr": "10.0.0.0/24"}]}"#,
            r#"{"name": [{"equals-ignore-case": "ada"}]}"#,
            r#"{"name": [{"anything-but": {"prefix": "a"}}]}"#,
            r#"{"$or": [{"a": ["b"]}, {"c": ["d"]}]}"#,
            r#"{"nested": {"name": ["Ada"]}}"#,
            "[]",
        ] {
            assert!(Filter::new(policy, None).is_err(), "{policy}");
        }
    }
}
