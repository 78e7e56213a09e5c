//! Resources on conditions: without what does not apply, and checked.

use serde_saphyr::Spanned;

use super::{
    conditions::Conditions,
    expression::Value,
    policy::{self, Attached},
    template::{Conditional, Resource},
};
use crate::mistake::Wrong;

/// Whether a condition holds; what has none always applies.
///
/// # Errors
///
/// If there is no such condition, with its place.
pub fn applies(
    conditions: &Conditions,
    condition: Option<&Spanned<String>>,
) -> Result<bool, Wrong> {
    let Some(condition) = condition else { return Ok(true) };
    conditions.holds(&condition.value).ok_or_else(|| {
        (condition.referenced, format!("Condition: there is no {}", condition.value))
    })
}

/// A resource without the parts that do not apply; `None` if it does not. What the types of a
/// resource leave open is checked.
///
/// # Errors
///
/// The first mistake, and its place.
pub fn resource(conditions: &Conditions, it: Conditional) -> Result<Option<Resource>, Wrong> {
    if !applies(conditions, it.condition.as_ref())? {
        return Ok(None);
    }
    let applied = |value| Ok(conditions.applied(value)?.unwrap_or_else(Value::null));
    Ok(Some(match it.resource {
        Resource::Alarm(properties) => Resource::Alarm(applied(properties)?),
        Resource::Other(kind, properties) => Resource::Other(kind, applied(properties)?),
        Resource::Policy(document) => {
            let document = applied(document)?;
            policy::check(&document, Attached::ToRole)?;
            Resource::Policy(document)
        }
        Resource::QueuePolicy(it) => {
            policy::check(&it.policy_document, Attached::ToResource)?;
            Resource::QueuePolicy(it)
        }
        Resource::BucketPolicy(it) => {
            policy::check(&it.policy_document, Attached::ToResource)?;
            Resource::BucketPolicy(it)
        }
        Resource::Bucket(bucket) => match bucket.wrong() {
            Some(wrong) => return Err(wrong),
            None => Resource::Bucket(bucket),
        },
        Resource::Table(table) => match table.undefined_key() {
            Some(wrong) => return Err(wrong),
            None => Resource::Table(table),
        },
        other => other,
    }))
}
