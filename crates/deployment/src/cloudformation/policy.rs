//! Policy documents of IAM: which part of their language is understood here.
//!
//! AWS accepts a misspelt action or condition key, and then refuses what was meant to be allowed. A
//! local account judges by the same documents, so whatever it does not understand is a mistake.
//! The language is in the IAM user guide, "Grammar of the IAM JSON policy language".

use std::collections::BTreeMap;

use super::expression::{Data, Expression, Text, Value};
use crate::mistake::Wrong;

/// The only version of the language with its current meaning.
const VERSION: &str = "2012-10-17";
/// The elements of every statement.
const ELEMENTS: [&str; 7] =
    ["Action", "Condition", "Effect", "NotAction", "NotResource", "Resource", "Sid"];
/// The operators of conditions that are understood here.
const OPERATORS: [&str; 9] = [
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Bool",
    "StringEquals",
    "StringLike",
    "StringNotEquals",
    "StringNotLike",
];
/// The keys of conditions for which a local account has values. Their case does not matter.
const CONDITION_KEYS: [&str; 4] =
    ["aws:PrincipalArn", "aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn"];

/// What a policy is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// A role: its statements apply to the role.
    ToRole,
    /// A resource, such as a queue: each statement says to whom it applies.
    ToResource,
}

/// Checks that everything in `document` is understood.
///
/// # Errors
///
/// The first part that is not, and its place.
pub fn check(document: &Value, attached: Attached) -> Result<(), Wrong> {
    let path = "PolicyDocument";
    let elements = map(document, path)?;
    known(elements, path, &["Id", "Statement", "Version"])?;
    match required(document, elements, path, "Version")? {
        version if version.as_literal() == Some(VERSION) => {}
        version => return Err((version.key, format!("{path}.Version: should be {VERSION:?}"))),
    }
    let statements = required(document, elements, path, "Statement")?;
    for (index, statement) in statements.items().iter().enumerate() {
        check_statement(statement, &format!("{path}.Statement[{index}]"), attached)?;
    }
    Ok(())
}

/// The texts that name resources in `document`.
pub fn resources(document: &Value) -> Vec<&Text> {
    let statements = document.entries().and_then(|it| it.get("Statement"));
    let statements = statements.into_iter().flat_map(Value::items).filter_map(Value::entries);
    let named = statements.filter_map(|it| it.get("Resource").or(it.get("NotResource")));
    let texts = named.flat_map(Value::items).map(|value| match &value.data {
        Data::Text(text) => Some(text),
        _ => None,
    });
    texts.flatten().collect()
}

fn check_statement(statement: &Value, path: &str, attached: Attached) -> Result<(), Wrong> {
    let elements = map(statement, path)?;
    let principal = (attached == Attached::ToResource).then_some("Principal");
    known(elements, path, &ELEMENTS.into_iter().chain(principal).collect::<Vec<_>>())?;
    let effect = required(statement, elements, path, "Effect")?;
    if !matches!(effect.as_literal(), Some("Allow" | "Deny")) {
        return Err((effect.key, format!("{path}.Effect: should be Allow or Deny")));
    }
    let actions = one_of(statement, elements, path, ["Action", "NotAction"])?;
    each(actions.1, &format!("{path}.{}", actions.0), check_action)?;
    let resources = one_of(statement, elements, path, ["Resource", "NotResource"])?;
    each(resources.1, &format!("{path}.{}", resources.0), check_text)?;
    if attached == Attached::ToResource {
        check_principal(required(statement, elements, path, "Principal")?, path)?;
    }
    elements.get("Condition").map_or(Ok(()), |it| check_condition(it, path))
}

/// An action such as `sqs:SendMessage`, `sqs:*` or `*`.
fn check_action(action: &Value) -> Result<(), String> {
    let fits = |text: &str| text.chars().all(|it| it.is_ascii_alphanumeric() || "*?-".contains(it));
    let is_action = |text: &str| match text.split_once(':') {
        Some((service, name)) => {
            [service, name].iter().all(|it| fits(it) && !it.is_empty()) && !service.contains('*')
        }
        None => text == "*",
    };
    if action.as_literal().is_some_and(is_action) {
        return Ok(());
    }
    Err("should be a service, a colon and an action, such as sqs:SendMessage".to_owned())
}

fn check_text(text: &Value) -> Result<(), String> {
    let Data::Text(Text { expression, .. }) = &text.data else {
        return Err("should be a text".to_owned());
    };
    if has_variable(expression) {
        return Err("variables of policies are not understood here".to_owned());
    }
    Ok(())
}

/// Whether a text has a variable that IAM would replace.
fn has_variable(expression: &Expression) -> bool {
    match expression {
        Expression::Literal(text) => text.contains("${"),
        Expression::Join(pieces) => pieces.iter().any(has_variable),
        Expression::Ref(_)
        | Expression::Attribute(..)
        | Expression::Import(_)
        | Expression::Call(_) => false,
    }
}

/// A service or roles of this account.
fn check_principal(principal: &Value, path: &str) -> Result<(), Wrong> {
    let path = format!("{path}.Principal");
    if principal.as_literal() == Some("*") {
        return Ok(());
    }
    let kinds = map(principal, &path)?;
    known(kinds, &path, &["AWS", "Service"])?;
    kinds.iter().try_for_each(|(kind, ids)| each(ids, &format!("{path}.{kind}"), check_text))
}

fn check_condition(condition: &Value, path: &str) -> Result<(), Wrong> {
    let path = format!("{path}.Condition");
    for (operator, tests) in map(condition, &path)? {
        let path = format!("{path}.{operator}");
        if !OPERATORS.contains(&operator.as_str()) {
            let what = format!("{path}: this operator is not understood here");
            return Err((tests.key, what));
        }
        for (key, values) in map(tests, &path)? {
            if !CONDITION_KEYS.iter().any(|it| it.eq_ignore_ascii_case(key)) {
                let what = format!("{path}.{key}: no call here has a value for this key");
                return Err((values.key, what));
            }
            let is_flag = matches!(values.data, Data::Plain(serde_json::Value::Bool(_)));
            if operator != "Bool" || !is_flag {
                each(values, &format!("{path}.{key}"), check_text)?;
            }
        }
    }
    Ok(())
}

fn map<'a>(value: &'a Value, path: &str) -> Result<&'a BTreeMap<String, Value>, Wrong> {
    value.entries().ok_or_else(|| (value.key, format!("{path}: should be a map")))
}

fn known(entries: &BTreeMap<String, Value>, path: &str, names: &[&str]) -> Result<(), Wrong> {
    let unknown = entries.iter().find(|(name, _)| !names.contains(&name.as_str()));
    let Some((name, value)) = unknown else { return Ok(()) };
    let what = format!("{path}.{name}: not understood here; known are {}", names.join(", "));
    Err((value.key, what))
}

fn required<'a>(
    parent: &Value,
    entries: &'a BTreeMap<String, Value>,
    path: &str,
    name: &str,
) -> Result<&'a Value, Wrong> {
    entries.get(name).ok_or_else(|| (parent.location, format!("{path}: it has no {name}")))
}

/// The one of two elements that is there, and its name.
fn one_of<'a>(
    parent: &Value,
    entries: &'a BTreeMap<String, Value>,
    path: &str,
    names: [&'static str; 2],
) -> Result<(&'static str, &'a Value), Wrong> {
    let [name, negated] = names;
    match (entries.get(name), entries.get(negated)) {
        (Some(value), None) => Ok((name, value)),
        (None, Some(value)) => Ok((negated, value)),
        (Some(_), Some(both)) => Err((both.key, format!("{path}: {name} excludes {negated}"))),
        (None, None) => Err((parent.location, format!("{path}: it has no {name}"))),
    }
}

/// Checks each item of a list, or a single value.
fn each(
    values: &Value,
    path: &str,
    check: impl Fn(&Value) -> Result<(), String>,
) -> Result<(), Wrong> {
    let mut items = values.items().iter();
    items
        .try_for_each(|item| check(item).map_err(|what| (item.location, format!("{path}: {what}"))))
}
