//! How the tasks of a service scale: a stack of its own.

use std::collections::BTreeMap;

use super::{Parts, Services, others};
use crate::{
    cloudformation::{
        expression::{Expression, Value},
        stack::Stack,
    },
    description::operation::{Metric, Scaling, Target},
};

impl Services<'_> {
    /// The scaling of the service, if a stack describes one.
    pub(super) fn scaling(&self, parts: &Parts<'_>) -> Option<Scaling> {
        let mut targets = self.stacks.iter().flat_map(|stack| {
            let targets = others(stack, "AWS::ApplicationAutoScaling::ScalableTarget");
            targets.map(move |(id, properties)| (stack, id, properties))
        });
        let (stack, id, target) = targets.find(|(stack, _, properties)| {
            let resource = properties.at(&["ResourceId"]).and_then(Value::as_expression);
            resource.is_some_and(|it| self.names(stack, it, parts))
        })?;
        let number = |value: &Value, path: &[&str]| self.in_stack(stack, value.at(path)?);
        let mut aims = BTreeMap::new();
        for (_, policy) in others(stack, "AWS::ApplicationAutoScaling::ScalingPolicy") {
            let of = policy.at(&["ScalingTargetId"]).and_then(Value::as_expression);
            let aim = policy.at(&["TargetTrackingScalingPolicyConfiguration"]);
            if let (Some(Expression::Ref(of)), Some(aim)) = (of, aim)
                && of == id
            {
                let seconds = |name| number(aim, &[name]).unwrap_or(300.0);
                let target = Target {
                    value: number(aim, &["TargetValue"])?,
                    scale_in_cooldown_seconds: whole(seconds("ScaleInCooldown"))?,
                    scale_out_cooldown_seconds: whole(seconds("ScaleOutCooldown"))?,
                };
                aims.insert(metric(aim)?, target);
            }
        }
        Some(Scaling {
            min_tasks: whole(number(target, &["MinCapacity"])?)?,
            max_tasks: whole(number(target, &["MaxCapacity"])?)?,
            targets: aims,
        })
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

    fn in_stack(&self, stack: &Stack, value: &Value) -> Option<f64> {
        match value.as_expression() {
            Some(text) => self.known.evaluate(&stack.name, text).ok()?.parse().ok(),
            None => match &value.data {
                crate::cloudformation::expression::Data::Plain(number) => number.as_f64(),
                _ => None,
            },
        }
    }
}

/// What a target-tracking policy follows.
fn metric(aim: &Value) -> Option<Metric> {
    let predefined = aim.at(&["PredefinedMetricSpecification", "PredefinedMetricType"]);
    match predefined.and_then(Value::as_literal) {
        Some("ECSServiceAverageCPUUtilization") => Some(Metric::Cpu),
        Some("ECSServiceAverageMemoryUtilization") => Some(Metric::Memory),
        Some("ALBRequestCountPerTarget") => Some(Metric::Requests),
        Some(_) => None,
        None => {
            let metrics = aim.at(&["CustomizedMetricSpecification", "Metrics"]).map(Value::items);
            let name = ["MetricStat", "Metric", "MetricName"];
            let mut names = metrics.into_iter().flatten().filter_map(|it| it.at(&name));
            let waiting = "ApproximateNumberOfMessagesVisible";
            names.any(|it| it.as_literal() == Some(waiting)).then_some(Metric::Waiting)
        }
    }
}

/// A whole number that is not negative.
fn whole(number: f64) -> Option<u32> {
    let text = number.to_string();
    text.parse().ok()
}
