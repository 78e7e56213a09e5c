//! A template as a stack: with its parameters, and without the parts that do not apply.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::Spanned;

use super::plan::{APPLICATION, Argument, ENVIRONMENT, Parameters, Plan, Planned};
use crate::{
    cloudformation::{
        conditional::{applies, resource},
        conditions::Conditions,
        expression::{Expression, Text, Value},
        policy::{self, Attached},
        stack::{Declared, Stack},
        template::{Parameter, Resource, Template},
    },
    mistake::{Mistake, Wrong},
    yaml,
};

/// The parameter with the image of a service.
const IMAGE: &str = "Image";
/// A local account runs binaries.
const NO_IMAGE: &str = "local";

/// A stack, and what its file says.
#[derive(Debug)]
pub struct Read {
    /// The stack.
    pub stack: Stack,
    /// Its parameters, by its name in the file `stacks` and their own.
    pub parameters: BTreeSet<(String, String)>,
    /// The whole template, without the parts that do not apply.
    pub whole: Value,
    /// Its file.
    pub file: std::path::PathBuf,
}

/// Reads the template of `planned`.
///
/// # Errors
///
/// The first [`Mistake`] in it, or in what its parameters are given.
pub fn read(plan: &Plan, planned: &Planned) -> Result<Read, Mistake> {
    let file = &planned.template;
    let in_file = |wrong: Wrong| Mistake::from_wrong(file, wrong);
    let template: Template = yaml::read(file)?;
    check_arguments(planned, &template.parameters)?;
    let mut parameters = Parameters::new();
    for (name, parameter) in &template.parameters {
        parameters.insert(name.clone(), value(plan, planned, name, parameter)?);
    }
    let conditions = Conditions::of(&template.conditions, &parameters).map_err(in_file)?;
    let mut stack = Stack { name: planned.full_name.clone(), parameters, ..Stack::default() };
    for (id, it) in template.resources {
        let resource = resource(&conditions, it.value)
            .map_err(|(place, what)| in_file((place, format!("Resources.{id}: {what}"))))?;
        let declared = resource.map(|resource| Declared::new(resource, file, it.referenced));
        stack.resources.extend(declared.map(|declared| (id, declared)));
    }
    for (name, mut output) in template.outputs {
        let place = output.value.location;
        if !applies(&conditions, output.condition.as_ref()).map_err(in_file)? {
            continue;
        }
        output.value = conditions.applied_to_text(output.value).map_err(in_file)?;
        stack.outputs.insert(name, Declared::new(output, file, place));
    }
    add_policies(&mut stack).map_err(in_file)?;
    let whole = conditions.applied(yaml::read(file)?).map_err(in_file)?;
    let names = template.parameters.into_keys().map(|name| (planned.name.clone(), name));
    let (parameters, whole) = (names.collect(), whole.unwrap_or_else(Value::null));
    Ok(Read { stack, parameters, whole, file: file.clone() })
}

/// A stack is given only what its template has.
fn check_arguments(
    planned: &Planned,
    parameters: &BTreeMap<String, Spanned<Parameter>>,
) -> Result<(), Mistake> {
    let mut foreign = planned.parameters.iter().filter(|it| !parameters.contains_key(&it.name));
    match foreign.next() {
        Some(argument) => Err(argument.mistake("the template has no such parameter")),
        None => Ok(()),
    }
}

/// The value of a parameter.
fn value(
    plan: &Plan,
    planned: &Planned,
    name: &str,
    parameter: &Spanned<Parameter>,
) -> Result<Text, Mistake> {
    let literal = |text: String| Ok(Text::made(Expression::Literal(text)));
    if let Some(argument) = plan.argument(planned, name) {
        check(argument, &parameter.value)?;
        return literal(argument.value.clone());
    }
    match (name, &parameter.value.default) {
        (APPLICATION, _) => literal(plan.application.clone()),
        (ENVIRONMENT, _) => literal(plan.environment.clone()),
        (IMAGE, _) => literal(NO_IMAGE.to_owned()),
        (_, Some(default)) => literal(default.0.clone()),
        (_, None) => {
            let what = format!(
                "Parameters.{name}: it has no Default, and {} is given no value",
                planned.name
            );
            Err(Mistake::at(&planned.template, parameter.referenced, what))
        }
    }
}

/// CloudFormation refuses other values.
fn check(argument: &Argument, parameter: &Parameter) -> Result<(), Mistake> {
    let allowed: Vec<&str> = parameter.allowed_values.iter().map(|it| it.0.as_str()).collect();
    if !allowed.is_empty() && !allowed.contains(&argument.value.as_str()) {
        let what = format!("{:?} is not one of {}", argument.value, allowed.join(", "));
        return Err(argument.mistake(what));
    }
    let (least, most) = (parameter.min_value, parameter.max_value);
    if least.is_none() && most.is_none() {
        return Ok(());
    }
    let number = argument.value.parse::<i64>();
    let fits = |it: i64| it >= least.unwrap_or(i64::MIN) && it <= most.unwrap_or(i64::MAX);
    if number.is_ok_and(fits) {
        return Ok(());
    }
    let bound = |bound: Option<i64>| bound.map_or("any".to_owned(), |it| it.to_string());
    let range = format!("{} to {}", bound(least), bound(most));
    Err(argument.mistake(format!("{:?} is not a number from {range}", argument.value)))
}

/// The inline policies of a role that tasks have, as resources of their own.
fn add_policies(stack: &mut Stack) -> Result<(), Wrong> {
    let tasks = stack.resources.values().filter_map(|it| match &it.value {
        Resource::Other(kind, properties) if kind == "AWS::ECS::TaskDefinition" => {
            match &properties.at(&["TaskRoleArn"])?.as_expression()? {
                Expression::Attribute(role, _) => Some(role.clone()),
                _ => None,
            }
        }
        _ => None,
    });
    for id in tasks.collect::<Vec<_>>() {
        let Some(declared) = stack.resources.get(&id).cloned() else { continue };
        let Resource::Other(_, properties) = &declared.value else { continue };
        for inline in properties.at(&["Policies"]).map(Value::items).unwrap_or_default() {
            let name = inline.at(&["PolicyName"]).and_then(Value::as_literal);
            let (Some(name), Some(document)) = (name, inline.at(&["PolicyDocument"])) else {
                let what = "Policies: each has a PolicyName and a PolicyDocument";
                return Err((inline.location, what.to_owned()));
            };
            policy::check(document, Attached::ToRole)?;
            let policy = Declared { value: Resource::Policy(document.clone()), ..declared.clone() };
            stack.resources.insert(format!("{id}.{name}"), policy);
        }
        let name = Text::made(Expression::Literal(format!("{}-{id}", stack.name)));
        let policies = properties.at(&["ManagedPolicyArns"]).map(Value::items).unwrap_or_default();
        let managed = policies.iter().filter_map(Value::as_expression).cloned().collect();
        let role = Resource::Role { name, managed_policies: managed };
        stack.resources.insert(id, Declared { value: role, ..declared });
    }
    Ok(())
}
