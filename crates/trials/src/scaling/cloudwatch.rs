//! CloudWatch: datapoints, which come late or not at all, and alarms on them.

use std::collections::BTreeMap;

use deployment::description::{
    measure::{Measure, Series},
    scaling::{Alarm, Missing},
};

/// The datapoints of each metric, by the minute.
#[derive(Clone, Debug, Default)]
pub struct Datapoints(BTreeMap<Series, BTreeMap<u64, Datapoint>>);

#[derive(Clone, Copy, Debug)]
struct Datapoint {
    value: f64,
    /// The second from which on it can be seen.
    seen_from: u64,
}

impl Datapoints {
    /// Adds the datapoint of a minute, which can be seen from the second `seen_from` on.
    pub fn add(&mut self, series: Series, minute: u64, value: f64, seen_from: u64) {
        self.0.entry(series).or_default().insert(minute, Datapoint { value, seen_from });
    }

    /// What `measure` is in a minute, as far as it can be seen at the second `now`.
    pub fn at(&self, measure: &Measure, minute: u64, now: u64) -> Option<f64> {
        measure.at(&|series| {
            let datapoint = self.0.get(series)?.get(&minute)?;
            (datapoint.seen_from <= now).then_some(datapoint.value)
        })
    }
}

/// The state of an alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It does not know.
    #[default]
    Unknown,
    /// Within the threshold.
    Ok,
    /// Beyond it.
    On,
}

/// How many minutes more than its periods an alarm looks back, for datapoints that are missing.
const MORE_PERIODS: usize = 2;

/// The state of `alarm`, which was `before`, at the second `now`; and the latest value that it saw.
///
/// From the user guide of CloudWatch, "Configuring how CloudWatch alarms treat missing data".
pub fn evaluate(
    alarm: &Alarm,
    before: State,
    datapoints: &Datapoints,
    now: u64,
) -> (State, Option<f64>) {
    let minutes = (0..now / 60).rev().take(alarm.periods + MORE_PERIODS).zip(1..);
    let seen = minutes.filter_map(|(minute, age)| {
        datapoints.at(&alarm.measure, minute, now).map(|value| (age, value))
    });
    let seen: Vec<(usize, f64)> = seen.take(alarm.periods).collect();
    let is_beyond = |value: f64| alarm.comparison.holds(value, alarm.threshold);
    let beyond = seen.iter().filter(|(_, value)| is_beyond(*value)).count();
    let missing = alarm.periods - seen.len();
    let on = |holds: bool| if holds { State::On } else { State::Ok };
    let state =
        match (alarm.missing, seen.last()) {
            _ if missing == 0 => on(beyond >= alarm.datapoints),
            (Missing::NotBreaching, _) => on(beyond >= alarm.datapoints),
            (Missing::Breaching, _) => on(beyond + missing >= alarm.datapoints),
            (Missing::Ignore, _) => before,
            (Missing::Missing, None) => State::Unknown,
            // "Avoiding premature transitions": too few, but the oldest is old enough.
            (Missing::Missing, Some((age, _))) if beyond == seen.len() => {
                if *age >= alarm.datapoints { State::On } else { before }
            }
            (Missing::Missing, Some(_)) => State::Ok,
        };
    (state, seen.first().map(|(_, value)| *value))
}

#[cfg(test)]
mod tests {
    use deployment::description::{
        measure::{Measure, Series},
        scaling::{Alarm, Comparison, Missing},
    };

    use super::{Datapoints, State, evaluate};

    /// The state of an alarm above 0 after `minutes`: `X` is a 1, `0` a 0, and `-` nothing.
    fn state(minutes: &str, periods: usize, missing: Missing) -> State {
        let series = Series::new("AWS/SQS", "metric", "Sum");
        let mut datapoints = Datapoints::default();
        for (minute, sign) in (0..).zip(minutes.chars()) {
            if sign != '-' {
                datapoints.add(series.clone(), minute, f64::from(u8::from(sign == 'X')), 0);
            }
        }
        let alarm = Alarm {
            measure: Measure::of(series),
            comparison: Comparison::Above,
            threshold: 0.0,
            periods,
            datapoints: periods,
            missing,
        };
        let now = 60 * u64::try_from(minutes.len()).unwrap();
        evaluate(&alarm, State::Unknown, &datapoints, now).0
    }

    /// The table of the user guide, for three of three datapoints.
    #[test]
    fn missing_datapoints_are_treated_as_cloudwatch_does() {
        use Missing::{Breaching, Ignore, NotBreaching};
        use State::{Ok, On, Unknown};
        let cases = [
            ("0-X-X", [Ok, Ok, Ok, Ok]),
            ("0----", [Ok, Unknown, Ok, Ok]),
            ("-----", [Unknown, Unknown, On, Ok]),
            ("0XX-X", [On, On, On, On]),
            ("--X--", [On, Unknown, On, Ok]),
            ("----X", [Unknown, Unknown, On, Ok]),
        ];
        for (minutes, [missing, ignored, breaching, not]) in cases {
            assert_eq!(state(minutes, 3, Missing::Missing), missing, "{minutes}, missing");
            assert_eq!(state(minutes, 3, Ignore), ignored, "{minutes}, ignored");
            let breaches = state(minutes, 3, Breaching);
            // Of one good and four missing datapoints, the good one is among the last three.
            assert_eq!(breaches, breaching, "{minutes}, breaching");
            assert_eq!(state(minutes, 3, NotBreaching), not, "{minutes}, not breaching");
        }
    }

    #[test]
    fn a_datapoint_counts_from_when_it_can_be_seen() {
        let series = Series::new("AWS/SQS", "metric", "Sum");
        let mut datapoints = Datapoints::default();
        datapoints.add(series.clone(), 1, 5.0, 240);
        let measure = Measure::of(series);
        assert_eq!(datapoints.at(&measure, 1, 239), None);
        assert_eq!(datapoints.at(&measure, 1, 240), Some(5.0));
    }
}
