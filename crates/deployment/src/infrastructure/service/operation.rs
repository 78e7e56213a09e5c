//! How the tasks of a service run.

use super::{Parts, Services, others};
use crate::{
    cloudformation::expression::{Data, Expression, Value},
    description::operation::{Balancing, HealthCheck, Operation, Processor, Replacement},
    mistake::Wrong,
};

/// What the name of the image of a collector of spans contains.
const COLLECTOR: &str = "otel-collector";
/// The attribute of a target group with the time that requests under way have.
const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";

impl Services<'_> {
    pub(super) fn operation(&self, parts: &Parts<'_>) -> Result<Operation, Wrong> {
        let Parts { definition, container, service, .. } = parts;
        let required = |name: &str| {
            let missing = || (definition.location, format!("{name} is missing"));
            self.number(parts, definition, &[name])?.ok_or_else(missing)
        };
        let architecture = ["RuntimePlatform", "CpuArchitecture"];
        let port = self.number(parts, container, &["PortMappings", "0", "ContainerPort"])?;
        let least = ["DeploymentConfiguration", "MinimumHealthyPercent"];
        Ok(Operation {
            cpu_units: required("Cpu")?,
            memory_mib: required("Memory")?,
            processor: match self.text(parts, definition, &architecture)?.as_str() {
                "ARM64" => Processor::Arm,
                _ => Processor::X86,
            },
            is_read_only: is_true(container.at(&["ReadonlyRootFilesystem"])),
            port: port.and_then(|it| it.try_into().ok()),
            health_check: self.health_check(parts)?,
            stop_timeout_seconds: self.number(parts, container, &["StopTimeout"])?,
            collector_image: collector_image(definition),
            replacement: match self.number(parts, service, &least)? {
                Some(0) => Replacement::Recreate,
                _ => Replacement::Rolling,
            },
            log_retention_days: self.log_retention(parts)?,
            balancing: self.balancing(parts)?,
            scaling: None, // in a stack of its own
        })
    }

    fn health_check(&self, parts: &Parts<'_>) -> Result<Option<HealthCheck>, Wrong> {
        let Some(check) = parts.container.at(&["HealthCheck"]) else { return Ok(None) };
        // The defaults are those of ECS.
        let number = |name, default| Ok(self.number(parts, check, &[name])?.unwrap_or(default));
        let words = check.at(&["Command"]).map(Value::items).unwrap_or_default();
        let words =
            (0..words.len()).map(|index| self.text(parts, check, &["Command", &index.to_string()]));
        Ok(Some(HealthCheck {
            command: words.collect::<Result<_, _>>()?,
            interval_seconds: number("Interval", 30)?,
            timeout_seconds: number("Timeout", 5)?,
            retries: number("Retries", 3)?,
            start_period_seconds: number("StartPeriod", 0)?,
        }))
    }

    fn log_retention(&self, parts: &Parts<'_>) -> Result<Option<u32>, Wrong> {
        let group = parts.container.at(&["LogConfiguration", "Options", "awslogs-group"]);
        let Some(Expression::Ref(group)) = group.and_then(Value::as_expression) else {
            return Ok(None);
        };
        let mut groups = others(parts.stack, "AWS::Logs::LogGroup");
        match groups.find(|(id, _)| id == group) {
            Some((_, properties)) => self.number(parts, properties, &["RetentionInDays"]),
            None => Ok(None),
        }
    }

    fn balancing(&self, parts: &Parts<'_>) -> Result<Option<Balancing>, Wrong> {
        let path = ["LoadBalancers", "0", "TargetGroupArn"];
        let target = parts.service.at(&path).and_then(Value::as_expression);
        let Some(Expression::Ref(target)) = target else { return Ok(None) };
        let mut targets = others(parts.stack, "AWS::ElasticLoadBalancingV2::TargetGroup");
        let Some((_, group)) = targets.find(|(id, _)| id == target) else {
            let what = format!("LoadBalancers: there is no target group {target}");
            return Err((parts.service.location, what));
        };
        // The defaults are those of Elastic Load Balancing.
        let number = |name, default| Ok(self.number(parts, group, &[name])?.unwrap_or(default));
        let text = |path: &[&str], default: &str| match group.at(path) {
            Some(_) => self.text(parts, group, path),
            None => Ok(default.to_owned()),
        };
        let attributes = group.at(&["TargetGroupAttributes"]).map(Value::items).unwrap_or_default();
        let delay = attributes
            .iter()
            .find(|it| it.at(&["Key"]).and_then(Value::as_literal) == Some(DEREGISTRATION_DELAY));
        let delay = delay.map(|it| self.number(parts, it, &["Value"])).transpose()?.flatten();
        let grace = self.number(parts, parts.service, &["HealthCheckGracePeriodSeconds"])?;
        Ok(Some(Balancing {
            health_path: text(&["HealthCheckPath"], "/")?,
            success_codes: text(&["Matcher", "HttpCode"], "200")?,
            healthy_threshold: number("HealthyThresholdCount", 5)?,
            unhealthy_threshold: number("UnhealthyThresholdCount", 2)?,
            interval_seconds: number("HealthCheckIntervalSeconds", 30)?,
            timeout_seconds: number("HealthCheckTimeoutSeconds", 5)?,
            grace_period_seconds: grace.unwrap_or(0),
            deregistration_delay_seconds: delay.unwrap_or(300),
        }))
    }
}

/// The image of the container that collects spans.
fn collector_image(definition: &Value) -> Option<String> {
    let containers = definition.at(&["ContainerDefinitions"]).map(Value::items);
    let images = containers.into_iter().flatten().filter_map(|it| it.at(&["Image"])?.as_literal());
    images.into_iter().find(|it| it.contains(COLLECTOR)).map(str::to_owned)
}

fn is_true(value: Option<&Value>) -> bool {
    matches!(value, Some(Value { data: Data::Plain(serde_json::Value::Bool(true)), .. }))
}
