//! CloudWatch, for one test: datapoints by the minute, alarms, and what they send to their topic.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use aws_sdk_sns::Client;
use serde_json::json;

use crate::{
    alarm::{Alarm, Metric},
    evaluate::{State, state},
    math,
};

/// A metric without what an alarm asks of it: namespace, name, dimensions.
type Series = (String, String, BTreeMap<String, String>);

/// Datapoints and alarms.
pub struct CloudWatch {
    sns: Client,
    pub alarms: Vec<Alarm>,
    states: BTreeMap<String, State>,
    /// The values of each minute, the latest last.
    minutes: Vec<BTreeMap<Series, Vec<f64>>>,
}

impl CloudWatch {
    pub fn new(sns: Client, alarms: Vec<Alarm>) -> Self {
        let states = alarms.iter().map(|it| (it.name.clone(), State::Ok)).collect();
        Self { sns, alarms, states, minutes: Vec::new() }
    }

    pub fn begin_minute(&mut self) {
        self.minutes.push(BTreeMap::new());
    }

    /// Adds values to the present minute.
    pub fn put(
        &mut self,
        namespace: &str,
        name: &str,
        dimensions: &BTreeMap<String, String>,
        values: impl IntoIterator<Item = f64>,
    ) {
        let minute = self.minutes.last_mut().expect("no minute has begun");
        let series = (namespace.to_owned(), name.to_owned(), dimensions.clone());
        minute.entry(series).or_default().extend(values);
    }

    /// Adds the values of a metric to the present minute, unless it has them.
    pub fn put_once(&mut self, metric: &Metric, values: Vec<f64>) {
        let Metric { namespace, name, dimensions, .. } = metric;
        let series = (namespace.clone(), name.clone(), dimensions.clone());
        let minute = self.minutes.last_mut().expect("no minute has begun");
        minute.entry(series).or_insert(values);
    }

    /// Evaluates all alarms at the end of a minute, and sends what changed to their topics.
    pub async fn end_minute(&mut self) -> anyhow::Result<()> {
        for alarm in &self.alarms {
            let datapoints: Vec<_> = self.minutes.iter().map(|it| datapoint(alarm, it)).collect();
            let (new, old) = (state(alarm, &datapoints), self.states[&alarm.name]);
            if new != old {
                let latest = &datapoints[datapoints.len().saturating_sub(alarm.periods)..];
                send(&self.sns, alarm, old, new, latest).await?;
                self.states.insert(alarm.name.clone(), new);
            }
        }
        Ok(())
    }

    /// The alarms that are in alarm.
    pub fn in_alarm(&self) -> BTreeSet<String> {
        let states = self.states.iter().filter(|(_, state)| **state == State::Alarm);
        states.map(|(name, _)| name.clone()).collect()
    }
}

/// What an alarm watches, in one minute.
fn datapoint(alarm: &Alarm, minute: &BTreeMap<Series, Vec<f64>>) -> Option<f64> {
    let of = |metric: &Metric| {
        let Metric { namespace, name, dimensions, statistic, .. } = metric;
        let values = minute.get(&(namespace.clone(), name.clone(), dimensions.clone()))?;
        statistic_of(values, statistic)
    };
    match &alarm.expression {
        None => of(&alarm.metrics[0]),
        Some(expression) => math::value(expression, &|id| {
            let metric = alarm.metrics.iter().find(|it| it.id == id);
            of(metric.unwrap_or_else(|| panic!("{} has no {id}", alarm.name)))
        }),
    }
}

fn statistic_of(values: &[f64], statistic: &str) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    Some(match statistic {
        "Sum" => sorted.iter().sum(),
        "Maximum" => sorted[last],
        "p99" => sorted[(0.99 * last as f64).ceil() as usize],
        other => panic!("the statistic {other} is not known here"),
    })
}

/// Sends what CloudWatch sends when an alarm changes its state.
async fn send(
    sns: &Client,
    alarm: &Alarm,
    old: State,
    new: State,
    latest: &[Option<f64>],
) -> anyhow::Result<()> {
    let [on_alarm, on_ok] = &alarm.actions;
    let topics = if new == State::Alarm { on_alarm } else { on_ok };
    let message = json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "NewStateValue": new.name(),
        "OldStateValue": old.name(),
        "NewStateReason": format!("{}: {latest:?}", alarm.condition()),
    });
    let known = sns.list_topics().send().await?.topics.unwrap_or_default();
    for topic in topics {
        // The templates were evaluated in an imaginary account.
        let name = topic.rsplit(':').next().unwrap_or_default();
        let mut arns = known.iter().filter_map(|it| it.topic_arn());
        let arn = arns.find(|arn| arn.ends_with(&format!(":{name}")));
        let publish = sns.publish().topic_arn(arn.with_context(|| format!("no topic {name}"))?);
        let subject = format!("{}: \"{}\"", new.name(), alarm.name);
        publish.subject(subject).message(message.to_string()).send().await?;
    }
    Ok(())
}
