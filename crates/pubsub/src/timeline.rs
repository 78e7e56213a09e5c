//! An order's way, as a person or a program sees it: what happened, what goes on, what is to come.

use std::fmt;

use aws_smithy_types::{DateTime, date_time::Format};
use serde::Serialize;

use crate::status::{Coupon, Report, State};

/// The workers that an order is expected to reach; what others report is shown as well.
const FULFILMENT: &str = "fulfilment";
const PROMOTION: &str = "promotion";

/// The stations of an order.
#[derive(Clone, Debug, Serialize)]
pub struct Timeline {
    /// In a word: how far the order is.
    pub state: String,
    /// Whether nothing is to come any more.
    pub is_final: bool,
    /// In the order of an order's way.
    pub stations: Vec<Station>,
    /// What the order earned.
    pub coupon: Option<Coupon>,
}

/// A station of an order's way.
#[derive(Clone, Debug, Serialize)]
pub struct Station {
    /// `stored`, `announced`, or the name of a service.
    pub name: String,
    /// How it stands, for a picture.
    pub state: Standing,
    /// How it stands, in a word: for a service, its latest step.
    pub word: String,
    /// When it came to stand so: RFC 3339.
    pub at: Option<String>,
    /// What each attempt did, in a sentence.
    pub attempts: Vec<String>,
}

/// How a station stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Nothing has happened there.
    Waiting,
    /// Something is under way.
    Working,
    /// It is behind the order.
    Done,
    /// It went wrong; it may be tried again.
    Failed,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Working => "working",
            Self::Done => "done",
            Self::Failed => "failed",
        })
    }
}

impl Timeline {
    /// The way of an order that was stored and announced then, if it was, of which `reports` tell,
    /// the earliest attempt first.
    pub fn of(
        stored_at: DateTime,
        announced_at: Option<DateTime>,
        earns_coupon: bool,
        reports: &[Report],
    ) -> Self {
        let mut services = vec![FULFILMENT];
        if earns_coupon {
            services.push(PROMOTION);
        }
        for report in reports {
            if !services.contains(&report.service.as_str()) {
                services.push(&report.service);
            }
        }
        let mut stations = vec![
            Station::plain("stored", Some(stored_at)),
            Station::plain("announced", announced_at),
        ];
        stations.extend(services.iter().map(|service| Station::of(service, reports)));
        let fulfilment = &stations[2];
        let state = match fulfilment.state {
            Standing::Waiting if announced_at.is_some() => "announced",
            Standing::Waiting => "stored",
            _ => &fulfilment.word,
        };
        Self {
            state: state.to_owned(),
            is_final: stations.iter().all(|station| station.state == Standing::Done),
            coupon: reports.iter().find_map(|report| report.coupon.clone()),
            stations,
        }
    }
}

impl Station {
    /// A station that is either behind the order or about to be.
    fn plain(name: &str, at: Option<DateTime>) -> Self {
        let (state, word) = match at {
            Some(_) => (Standing::Done, name),
            None => (Standing::Working, "under way"),
        };
        let at = at.map(rfc3339);
        Self { name: name.to_owned(), state, word: word.to_owned(), at, attempts: Vec::new() }
    }

    /// A worker's station, from what it reported, the earliest attempt first.
    fn of(service: &str, reports: &[Report]) -> Self {
        let reports: Vec<_> = reports.iter().filter(|it| it.service == service).collect();
        // A message may be delivered again after it was handled: the first success counts.
        let done = reports.iter().find(|report| report.state == State::Done);
        let telling = done.or(reports.last());
        let state = telling.map_or(Standing::Waiting, |report| match report.state {
            State::Working => Standing::Working,
            State::Done => Standing::Done,
            State::Failed => Standing::Failed,
        });
        let step = telling.and_then(|report| report.steps.last());
        Self {
            name: service.to_owned(),
            state,
            word: step.map_or("pending", |step| &step.name).to_owned(),
            at: step.map(|step| rfc3339(time(step.at))),
            attempts: attempts(&reports),
        }
    }
}

fn attempts(reports: &[&Report]) -> Vec<String> {
    let last = reports.len().saturating_sub(1);
    let sentence = |(index, report): (usize, &&Report)| {
        let steps = report
            .steps
            .iter()
            .map(|step| format!("{} {}", step.name, clock(&rfc3339(time(step.at)))));
        let steps = steps.collect::<Vec<_>>().join(", ");
        // A worker that was killed tells no end.
        let given_up = report.state == State::Working && index < last;
        let end = if given_up { "; it came to no end" } else { "" };
        format!("Attempt {}: {steps}{end}.", report.attempt)
    };
    reports.iter().enumerate().map(sentence).collect()
}

/// A time as programs read it, to the millisecond.
pub fn rfc3339(time: DateTime) -> String {
    let text = time.fmt(Format::DateTime).unwrap_or_default();
    let (seconds, millis) = text.trim_end_matches('Z').split_once('.').unwrap_or((&text, ""));
    format!("{}.{millis:0<3}Z", seconds.trim_end_matches('Z'))
}

/// The time of day out of an RFC 3339 time.
pub fn clock(at: &str) -> &str {
    at.split('T').nth(1).unwrap_or_default().trim_end_matches('Z')
}

fn time(millis: u64) -> DateTime {
    DateTime::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{order::OrderId, status::Step};

    fn report(service: &str, attempt: u32, state: State, steps: &[(&str, u64)]) -> Report {
        Report {
            order_id: OrderId::new(),
            service: service.to_owned(),
            attempt,
            state,
            steps: steps
                .iter()
                .map(|(name, at)| Step { name: (*name).to_owned(), at: *at })
                .collect(),
            coupon: None,
        }
    }

    fn timeline(earns_coupon: bool, reports: &[Report]) -> Timeline {
        Timeline::of(DateTime::from_secs(0), Some(DateTime::from_secs(1)), earns_coupon, reports)
    }

    fn check(reports: &[Report], state: Standing, word: &str, attempts: &[&str]) {
        let fulfilment = &timeline(false, reports).stations[2];
        assert_eq!((fulfilment.state, fulfilment.word.as_str()), (state, word));
        assert_eq!(fulfilment.attempts, attempts);
    }

    #[test]
    fn a_station_stands_as_its_attempts_tell() {
        let killed = report("fulfilment", 1, State::Working, &[("started", 1_000)]);
        let failed =
            report("fulfilment", 2, State::Failed, &[("started", 2_000), ("failed", 2_500)]);
        let done =
            report("fulfilment", 3, State::Done, &[("started", 3_000), ("fulfilled", 3_001)]);
        let again = report("fulfilment", 4, State::Working, &[("started", 4_000)]);
        let started = "Attempt 1: started 00:00:01.000.";
        let no_end = "Attempt 1: started 00:00:01.000; it came to no end.";
        let failure = "Attempt 2: started 00:00:02.000, failed 00:00:02.500.";
        let success = "Attempt 3: started 00:00:03.000, fulfilled 00:00:03.001.";
        let repeated = "Attempt 4: started 00:00:04.000.";
        let all = [killed, failed, done, again];
        check(&[], Standing::Waiting, "pending", &[]);
        check(&all[..1], Standing::Working, "started", &[started]);
        check(&all[..2], Standing::Failed, "failed", &[no_end, failure]);
        check(&all[..3], Standing::Done, "fulfilled", &[no_end, failure, success]);
        // What is delivered again after a success is told, and changes nothing else.
        check(&all, Standing::Done, "fulfilled", &[no_end, failure, success, repeated]);
    }

    #[test]
    fn it_is_final_when_every_station_is_behind_the_order() {
        let fulfilled = report("fulfilment", 1, State::Done, &[("fulfilled", 1)]);
        let granted = report("promotion", 1, State::Done, &[("granted", 1)]);
        let invoicing = report("invoice", 1, State::Working, &[("started", 1)]);
        assert!(!timeline(false, &[]).is_final);
        assert!(timeline(false, std::slice::from_ref(&fulfilled)).is_final);
        assert!(!timeline(true, std::slice::from_ref(&fulfilled)).is_final);
        assert!(timeline(true, &[fulfilled.clone(), granted]).is_final);
        // A subscriber that nobody here knows of has a station as soon as it tells something.
        let with_stranger = timeline(false, &[fulfilled, invoicing]);
        assert_eq!(with_stranger.stations[3].name, "invoice");
        assert!(!with_stranger.is_final);
    }
}
