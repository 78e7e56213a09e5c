//! The metrics and the metric math of a policy or an alarm.

use std::{collections::BTreeMap, str::FromStr};

use serde::{Deserialize, Deserializer};

use crate::{
    description::measure::{Measure, Series},
    yaml::{Scalar, wrong},
};

/// A metric, or an expression over others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Query {
    id: String,
    expression: Option<String>,
    metric_stat: Option<MetricStat>,
    #[serde(default = "yes")]
    return_data: bool,
    #[serde(rename = "Label")]
    _label: Option<String>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct MetricStat {
    metric: StatMetric,
    stat: String,
    #[serde(default, deserialize_with = "some_number")]
    period: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct StatMetric {
    namespace: String,
    metric_name: String,
    dimensions: Vec<Dimension>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Dimension {
    name: String,
    value: String,
}

/// What `queries` look at: one of them is the expression, and returns data.
///
/// # Errors
///
/// A sentence, if they are not understood, or look at another queue than `queue`.
pub fn measure(queries: Vec<Query>, queue: &str) -> Result<Measure, String> {
    let mut series = BTreeMap::new();
    let mut returned = None;
    for query in queries {
        match (query.expression, query.metric_stat) {
            (Some(expression), None) if query.return_data && returned.is_none() => {
                returned = Some(expression);
            }
            (None, Some(stat)) if !query.return_data => {
                series.insert(query.id, stat.series(queue)?);
            }
            _ => return Err(format!("{}: one query should return data, an expression", query.id)),
        }
    }
    Measure::parse(&returned.ok_or("no query returns data")?, series)
}

impl MetricStat {
    fn series(self, queue: &str) -> Result<Series, String> {
        let StatMetric { namespace, metric_name, dimensions } = self.metric;
        if self.period.is_some_and(|it| it != 60) {
            return Err(format!("{metric_name}: only a Period of 60 is understood here"));
        }
        let foreign = |it: &&Dimension| it.name == "QueueName" && it.value != queue;
        match dimensions.iter().find(foreign) {
            Some(other) => Err(format!("{metric_name}: {} is another queue", other.value)),
            None => Ok(Series { namespace, name: metric_name, statistic: self.stat }),
        }
    }
}

/// CloudFormation takes a number in quotes too.
pub fn number<'de, T: FromStr, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let Scalar(text) = Scalar::deserialize(from)?;
    text.parse().map_err(|_| wrong(format!("{text:?} is no such number")))
}

/// The same, if it is there.
pub fn some_number<'de, T: FromStr, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    number(from).map(Some)
}
