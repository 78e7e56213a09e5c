//! Reads scaling policies, and the alarms that set them off, from the resources of a template.

use std::collections::BTreeMap;

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value as Json;

use crate::{
    cloudformation::{
        expression::{Data, Expression, Value},
        stack::Stack,
        template::Resource,
    },
    description::{
        measure::{Measure, Series},
        scaling::{Adjustment, Alarm, Change, Comparison, Metric, Missing, Step, Target},
    },
    mistake::Wrong,
};

mod query;

use self::query::{Query, measure, number, some_number};

/// The type of a policy.
pub const POLICY: &str = "AWS::ApplicationAutoScaling::ScalingPolicy";
/// What AWS takes for a cooldown that is not given.
const DEFAULT_COOLDOWN_SECONDS: u32 = 300;

/// Resources by logical id, with their properties.
pub type Resources<'a> = BTreeMap<&'a str, &'a Value>;

/// What policies say.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// What they aim at.
    pub targets: BTreeMap<Metric, Target>,
    /// What alarms set off, by logical id.
    pub steps: BTreeMap<String, Step>,
}

/// Whether an alarm sets off one of `policies`.
pub fn sets_off<'a>(alarm: &Value, policies: impl IntoIterator<Item = &'a str>) -> bool {
    policies.into_iter().any(|policy| acts_on(alarm, policy))
}

/// Whether an alarm of `stack` changes the number of tasks, and is not for a person.
pub fn changes_tasks(stack: &Stack, alarm: &Value) -> bool {
    let policies = stack
        .resources
        .iter()
        .filter(|(_, it)| matches!(&it.value, Resource::Other(kind, _) if kind == POLICY));
    sets_off(alarm, policies.map(|(id, _)| id.as_str()))
}

/// Reads `policies` and the alarms that set them off. `text` computes a text; `queue` is what it
/// computes for the name of the service's queue.
///
/// # Errors
///
/// The first that is not understood, and its place.
pub fn read(
    policies: &Resources<'_>,
    alarms: &Resources<'_>,
    text: &dyn Fn(&Expression) -> String,
    queue: &str,
) -> Result<Policies, Wrong> {
    let mut read = Policies::default();
    for (id, value) in policies {
        let wrong = |what: String| (value.location, format!("{id}: {what}"));
        let policy: Policy = parsed(value, text).map_err(wrong)?;
        match (policy.tracking, policy.stepping) {
            (Some(tracking), None) => {
                let (metric, target) = tracking.target(queue).map_err(wrong)?;
                if read.targets.insert(metric, target).is_some() {
                    return Err(wrong(format!("another policy follows {metric:?} too")));
                }
            }
            (None, Some(stepping)) => {
                let setting_off = alarms.iter().filter(|(_, alarm)| acts_on(alarm, id));
                let [(name, alarm)] = setting_off.collect::<Vec<_>>()[..] else {
                    return Err(wrong("exactly one alarm should set it off".to_owned()));
                };
                let wrong = |what: String| (alarm.location, format!("{name}: {what}"));
                let alarm: AlarmProperties = parsed(alarm, text).map_err(wrong)?;
                let step = stepping.step(alarm.alarm(queue).map_err(wrong)?);
                read.steps.insert((*id).to_owned(), step);
            }
            _ => return Err(wrong("it should follow a target, or have steps".to_owned())),
        }
    }
    Ok(read)
}

fn acts_on(alarm: &Value, policy: &str) -> bool {
    let actions = alarm.at(&["AlarmActions"]).map(Value::items).unwrap_or_default();
    actions.iter().any(|it| it.as_expression() == Some(&Expression::Ref(policy.to_owned())))
}

fn parsed<T: DeserializeOwned>(
    value: &Value,
    text: &dyn Fn(&Expression) -> String,
) -> Result<T, String> {
    serde_path_to_error::deserialize(json(value, text)).map_err(|error| error.to_string())
}

/// What a function that is not a text computes does not matter here.
fn json(value: &Value, text: &dyn Fn(&Expression) -> String) -> Json {
    match &value.data {
        Data::Plain(plain) => plain.clone(),
        Data::Text(it) => text(&it.expression).into(),
        Data::List(items) => items.iter().map(|it| json(it, text)).collect(),
        Data::Map(entries) => {
            entries.iter().map(|(key, it)| (key.clone(), json(it, text))).collect()
        }
        Data::Call(_) => Json::Null,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Policy {
    #[serde(rename = "PolicyName")]
    _name: String,
    #[serde(rename = "PolicyType")]
    _type: IgnoredAny,
    #[serde(rename = "ScalingTargetId")]
    _scaled: String,
    #[serde(rename = "TargetTrackingScalingPolicyConfiguration")]
    tracking: Option<Tracking>,
    #[serde(rename = "StepScalingPolicyConfiguration")]
    stepping: Option<Stepping>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Tracking {
    predefined_metric_specification: Option<Predefined>,
    customized_metric_specification: Option<Customized>,
    #[serde(deserialize_with = "number")]
    target_value: f64,
    #[serde(default, deserialize_with = "some_number")]
    scale_in_cooldown: Option<u32>,
    #[serde(default, deserialize_with = "some_number")]
    scale_out_cooldown: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Predefined {
    predefined_metric_type: String,
    #[serde(rename = "ResourceLabel")]
    _resource_label: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Customized {
    metrics: Vec<Query>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Stepping {
    adjustment_type: Change,
    #[serde(default, deserialize_with = "some_number")]
    cooldown: Option<u32>,
    step_adjustments: Vec<StepAdjustment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct StepAdjustment {
    #[serde(default, deserialize_with = "some_number")]
    metric_interval_lower_bound: Option<f64>,
    #[serde(default, deserialize_with = "some_number")]
    metric_interval_upper_bound: Option<f64>,
    #[serde(deserialize_with = "number")]
    scaling_adjustment: i32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct AlarmProperties {
    metrics: Vec<Query>,
    comparison_operator: Comparison,
    #[serde(deserialize_with = "number")]
    threshold: f64,
    #[serde(deserialize_with = "number")]
    evaluation_periods: usize,
    #[serde(default, deserialize_with = "some_number")]
    datapoints_to_alarm: Option<usize>,
    #[serde(default)]
    treat_missing_data: Missing,
    #[serde(rename = "AlarmActions")]
    _actions: IgnoredAny,
    #[serde(rename = "AlarmDescription")]
    _description: Option<String>,
}

impl Tracking {
    fn target(self, queue: &str) -> Result<(Metric, Target), String> {
        let (metric, measure) =
            match (self.predefined_metric_specification, self.customized_metric_specification) {
                (Some(predefined), None) => predefined.measure()?,
                (None, Some(custom)) => {
                    let measure = measure(custom.metrics, queue)?;
                    let has = |name: &str| measure.series.values().any(|it| it.name == name);
                    let metric = match () {
                        () if has("ApproximateNumberOfMessagesNotVisible") => Metric::InFlight,
                        () if has("ApproximateNumberOfMessagesVisible") => Metric::Waiting,
                        () => return Err("what it follows is not understood here".to_owned()),
                    };
                    (metric, measure)
                }
                _ => return Err("it should follow one metric specification".to_owned()),
            };
        let target = Target {
            measure,
            value: self.target_value,
            scale_in_cooldown_seconds: self.scale_in_cooldown.unwrap_or(DEFAULT_COOLDOWN_SECONDS),
            scale_out_cooldown_seconds: (self.scale_out_cooldown)
                .unwrap_or(DEFAULT_COOLDOWN_SECONDS),
        };
        Ok((metric, target))
    }
}

impl Predefined {
    fn measure(self) -> Result<(Metric, Measure), String> {
        let metric = match self.predefined_metric_type.as_str() {
            "ECSServiceAverageCPUUtilization" => Metric::Cpu,
            "ECSServiceAverageMemoryUtilization" => Metric::Memory,
            "ALBRequestCountPerTarget" => Metric::Requests,
            other => return Err(format!("AWS has no metric {other} for services")),
        };
        Ok((metric, Measure::of(metric.series())))
    }
}

impl Metric {
    /// The metric of AWS that a policy of ECS or of Copilot's follows.
    pub fn series(self) -> Series {
        match self {
            Self::Cpu => Series::new("AWS/ECS", "CPUUtilization", "Average"),
            Self::Memory => Series::new("AWS/ECS", "MemoryUtilization", "Average"),
            Self::Requests => Series::new("AWS/ApplicationELB", "RequestCountPerTarget", "Sum"),
            Self::ResponseTime => {
                Series::new("AWS/ApplicationELB", "TargetResponseTime", "Average")
            }
            Self::Waiting => Series::new("Copilot", "BacklogPerTask", "Average"),
            Self::InFlight => {
                Series::new("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Maximum")
            }
        }
    }
}

impl Stepping {
    fn step(self, alarm: Alarm) -> Step {
        let adjustments = self.step_adjustments.into_iter().map(|it| Adjustment {
            from: it.metric_interval_lower_bound,
            to: it.metric_interval_upper_bound,
            tasks: it.scaling_adjustment,
        });
        Step {
            alarm,
            change: self.adjustment_type,
            adjustments: adjustments.collect(),
            cooldown_seconds: self.cooldown.unwrap_or(DEFAULT_COOLDOWN_SECONDS),
        }
    }
}

impl AlarmProperties {
    fn alarm(self, queue: &str) -> Result<Alarm, String> {
        let (periods, datapoints) = (self.evaluation_periods, self.datapoints_to_alarm);
        Ok(Alarm {
            measure: measure(self.metrics, queue)?,
            comparison: self.comparison_operator,
            threshold: self.threshold,
            periods,
            datapoints: datapoints.unwrap_or(periods),
            missing: self.treat_missing_data,
        })
    }
}
