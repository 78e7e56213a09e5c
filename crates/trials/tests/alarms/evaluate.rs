//! When an alarm changes its state, by its definition and the datapoints of a minute each:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>.

use crate::alarm::Alarm;

/// The state of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ok,
    Alarm,
}

/// How many datapoints beyond those that it needs CloudWatch looks at, if some are missing.
const FURTHER: usize = 2;

impl State {
    /// As CloudWatch calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
        }
    }
}

/// The state after `datapoints`, the latest of which is the last.
pub fn state(alarm: &Alarm, datapoints: &[Option<f64>]) -> State {
    let wanted = alarm.periods;
    let looked_at = datapoints.iter().rev().take(wanted + FURTHER);
    let latest: Vec<f64> = looked_at.flatten().copied().take(wanted).collect();
    let breaching = latest.iter().filter(|it| breaches(alarm, **it)).count();
    let missing = wanted - latest.len();
    let filled = match alarm.missing.as_str() {
        "breaching" => breaching + missing,
        "notBreaching" => breaching,
        other => panic!("TreatMissingData {other} is not known here"),
    };
    if filled == wanted { State::Alarm } else { State::Ok }
}

fn breaches(alarm: &Alarm, value: f64) -> bool {
    match alarm.comparison.as_str() {
        "GreaterThanThreshold" => value > alarm.threshold,
        "GreaterThanOrEqualToThreshold" => value >= alarm.threshold,
        "LessThanThreshold" => value < alarm.threshold,
        other => panic!("{other} is not known here"),
    }
}

/// The table of AWS's documentation, for an alarm on three datapoints.
#[test]
fn missing_data_is_treated_as_the_documentation_says() {
    let alarm = |missing: &str| Alarm {
        name: String::new(),
        description: String::new(),
        metrics: Vec::new(),
        expression: None,
        label: String::new(),
        periods: 3,
        threshold: 0.0,
        comparison: "GreaterThanThreshold".to_owned(),
        missing: missing.to_owned(),
        actions: Default::default(),
    };
    for (datapoints, breaching, not_breaching) in [
        ("0-X-X", State::Ok, State::Ok),
        ("----0", State::Ok, State::Ok),
        ("-----", State::Alarm, State::Ok),
        ("0XX-X", State::Alarm, State::Alarm),
        ("--X--", State::Alarm, State::Ok),
    ] {
        let read = |c| match c {
            'X' => Some(1.0),
            '0' => Some(0.0),
            _ => None,
        };
        let values: Vec<_> = datapoints.chars().map(read).collect();
        assert_eq!(state(&alarm("breaching"), &values), breaching, "{datapoints}");
        assert_eq!(state(&alarm("notBreaching"), &values), not_breaching, "{datapoints}");
    }
}
