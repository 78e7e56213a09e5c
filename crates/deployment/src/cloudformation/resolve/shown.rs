//! Values of what a local account passes over, such as alarms, for tests and tools that read them.

use serde_json::Value as Json;

use super::known::Known;
use crate::cloudformation::{
    expression::{Data, Expression, Text, Value},
    stack::Stack,
};

/// `value` of `stack` as JSON. What a local account does not have, such as a load balancer, is
/// called by its attribute, such as `LoadBalancerFullName`.
pub fn shown(known: &Known<'_>, stacks: &[Stack], stack: &Stack, value: &Value) -> Json {
    let of = |value: &Value| shown(known, stacks, stack, value);
    match &value.data {
        Data::Plain(plain) => plain.clone(),
        Data::List(items) => items.iter().map(of).collect(),
        Data::Map(entries) => entries.iter().map(|(key, it)| (key.clone(), of(it))).collect(),
        Data::Call(call) => format!("!{}", call.function).into(),
        Data::Text(Text { expression, .. }) => text(known, stacks, stack, expression).into(),
    }
}

fn text(known: &Known<'_>, stacks: &[Stack], stack: &Stack, expression: &Expression) -> String {
    if let Ok(text) = known.evaluate(&stack.name, expression) {
        return text;
    }
    let of = |stack, expression| text(known, stacks, stack, expression);
    match expression {
        Expression::Attribute(_, name) => name.clone(),
        Expression::Join(pieces) => pieces.iter().map(|it| of(stack, it)).collect(),
        // A parameter, whose value is an expression of the parent.
        Expression::Ref(name) => stack.parameters.get(name).map_or_else(
            || name.clone(),
            |argument| {
                let parent = stacks.iter().find(|it| Some(&it.name) == stack.parent.as_ref());
                of(parent.unwrap_or(stack), &argument.expression)
            },
        ),
        Expression::Import(name) => {
            let wanted = known.evaluate(&stack.name, name).ok();
            let exported = stacks.iter().find_map(|stack| {
                let output = stack.outputs.values().map(|output| &output.value).find(|output| {
                    let export = output.export.as_ref().map(|it| &it.name.expression);
                    wanted.is_some()
                        && export.and_then(|it| known.evaluate(&stack.name, it).ok()) == wanted
                })?;
                Some(of(stack, &output.value.expression))
            });
            exported.unwrap_or_default()
        }
        Expression::Literal(text) => text.clone(),
        Expression::Call(call) => format!("!{}", call.function),
    }
}
