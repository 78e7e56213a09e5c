//! How the tasks of a service scale: a stack of its own.

use super::{Parts, Services, others};
use crate::{
    cloudformation::{
        expression::{Data, Expression, Value},
        stack::Stack,
        template::Resource,
    },
    description::{ServiceQueue, scaling::Scaling},
    mistake::Mistake,
    scaling::{self, POLICY, Policies},
};

impl Services<'_> {
    /// The scaling of the service with `queue`, if a stack describes one.
    pub(super) fn scaling(
        &self,
        parts: &Parts<'_>,
        queue: Option<&ServiceQueue>,
    ) -> Result<Option<Scaling>, Mistake> {
        let mut targets = self.stacks.iter().flat_map(|stack| {
            let targets = others(stack, "AWS::ApplicationAutoScaling::ScalableTarget");
            targets.map(move |(id, properties)| (stack, id, properties))
        });
        let found = targets.find(|(stack, _, properties)| {
            let resource = properties.at(&["ResourceId"]).and_then(Value::as_expression);
            resource.is_some_and(|it| self.names(stack, it, parts))
        });
        let Some((stack, id, target)) = found else { return Ok(None) };
        let file = &stack.resources[id].file;
        let number = |name: &str| {
            let number = target.at(&[name]).and_then(|it| self.in_stack(stack, it));
            let what = format!("Resources.{id}: {name} should be a number");
            number.ok_or_else(|| Mistake::at(file, target.location, what))
        };
        let of = Some(&Expression::Ref(id.to_owned()));
        let policies = others(stack, POLICY).filter(|(_, policy)| {
            policy.at(&["ScalingTargetId"]).and_then(Value::as_expression) == of
        });
        let alarms = stack.resources.iter().filter_map(|(id, declared)| match &declared.value {
            Resource::Alarm(properties) => Some((id.as_str(), properties)),
            _ => None,
        });
        let text = |it: &Expression| self.known.evaluate(&stack.name, it).unwrap_or_default();
        let queue = queue.and_then(|it| self.known.get(&it.queue.id)?.attributes.get("QueueName"));
        let queue = queue.map_or("", String::as_str);
        let read = scaling::read(&policies.collect(), &alarms.collect(), &text, queue);
        let Policies { targets, steps } =
            read.map_err(|(place, what)| Mistake::at(file, place, format!("Resources.{what}")))?;
        let (min_tasks, max_tasks) = (number("MinCapacity")?, number("MaxCapacity")?);
        Ok(Some(Scaling { min_tasks, max_tasks, targets, steps }))
    }

    /// Whether `expression` contains the name of the service, which its stack exports.
    fn names(&self, stack: &Stack, expression: &Expression, parts: &Parts<'_>) -> bool {
        match expression {
            Expression::Join(pieces) => pieces.iter().any(|it| self.names(stack, it, parts)),
            Expression::Import(name) => {
                let name = self.known.evaluate(&stack.name, name).ok();
                let mut exported = parts.stack.outputs.values().filter(|output| {
                    let export = output.value.export.as_ref().map(|it| &it.name.expression);
                    let export = export.map(|it| self.known.evaluate(&parts.stack.name, it));
                    export.and_then(Result::ok) == name
                });
                let own = Expression::Attribute(parts.id.to_owned(), "Name".to_owned());
                exported.any(|output| output.value.value.expression == own)
            }
            _ => false,
        }
    }

    fn in_stack(&self, stack: &Stack, value: &Value) -> Option<u32> {
        match &value.data {
            Data::Text(text) => {
                self.known.evaluate(&stack.name, &text.expression).ok()?.parse().ok()
            }
            Data::Plain(number) => number.as_u64()?.try_into().ok(),
            _ => None,
        }
    }
}
