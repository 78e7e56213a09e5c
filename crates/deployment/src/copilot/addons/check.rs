//! What merged addons have to fulfil.

use std::path::Path;

use super::draft::{Parameters, Passed};
use crate::{
    cloudformation::{
        references,
        stack::{Declared, ResourceId, Stack},
        template::Resource,
    },
    mistake::Mistake,
};

/// What a local account passes over may refer to nothing else either.
///
/// # Errors
///
/// The first reference that leads nowhere.
pub fn check_references(stack: &Stack) -> Result<(), Mistake> {
    let is_known = |name: &str| {
        stack.parameters.contains_key(name)
            || stack.resources.contains_key(name)
            || name.starts_with("AWS::")
    };
    for (id, Declared { value, file, .. }) in &stack.resources {
        let (Resource::Alarm(value) | Resource::Other(_, value)) = value else { continue };
        let mut references = references::of(value).into_iter();
        if let Some((name, place)) = references.find(|it| !is_known(it.0)) {
            let what = format!("Resources.{id}: there is no resource or parameter {name}");
            return Err(Mistake::at(file, place, what));
        }
    }
    Ok(())
}

/// A policy that is not an output is `attached` to nothing.
///
/// # Errors
///
/// The first such policy.
pub fn check_policies(stack: &Stack, attached: &[ResourceId]) -> Result<(), Mistake> {
    for (id, declared) in &stack.resources {
        let is_policy = matches!(declared.value, Resource::Policy(_));
        if is_policy && !attached.contains(&stack.resource_id(id)) {
            let what = format!(
                "Resources.{id}: Copilot attaches a policy only if an output is a !Ref to it"
            );
            return Err(Mistake::at(&declared.file, declared.location, what));
        }
    }
    Ok(())
}

/// Copilot passes parameters to all addons, which therefore have to exist.
///
/// # Errors
///
/// The first that does not.
pub fn check_passed(
    passed: &Passed<'_>,
    directory: &Path,
    parameters: &Parameters,
) -> Result<(), Mistake> {
    match passed.iter().find(|(name, _)| !parameters.contains_key(*name)) {
        Some((name, _)) => {
            let what = format!("Parameters.{name}: it is missing; Copilot passes it to addons");
            Err(Mistake::of(directory, what))
        }
        None => Ok(()),
    }
}
