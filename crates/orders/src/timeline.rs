//! The progress of an order, as a person or a program sees it. It follows from the reports alone: a
//! service that nobody here knows of appears as soon as it reports.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    payment::{Outcome, PaymentEvent},
    report::{Attachment, Report, State},
};

/// The name of the station for payments.
pub const PAYMENT: &str = "payment";

/// The progress of an order.
#[derive(Clone, Debug, Serialize)]
pub struct Timeline {
    /// The state of the order, as a word.
    pub state: String,
    /// Whether every service that must complete the order has done so.
    pub is_done: bool,
    /// The stations: stored, announced, then each service.
    pub stations: Vec<Station>,
}

/// A stage of an order's progress.
#[derive(Clone, Debug, Serialize)]
pub struct Station {
    /// `stored`, `announced`, or the name of a service.
    pub name: String,
    /// The phase, for a picture.
    pub state: Phase,
    /// The phase as a word: for a service, its latest step.
    pub word: String,
    /// When the station entered this phase: RFC 3339.
    pub at: Option<String>,
    /// What each attempt did, as a sentence.
    pub attempts: Vec<String>,
    /// What the service has for the customer.
    pub attachments: Vec<Attachment>,
}

/// The phase of a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not started.
    Waiting,
    /// In progress.
    Working,
    /// Completed.
    Done,
    /// Failed; it may be retried.
    Failed,
}

impl fmt::Display for Phase {
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
    /// The progress of an order that was stored, and maybe announced, at these times.
    ///
    /// `done_when` lists the services that have to be done before the order counts as done.
    /// `reports` come with the earliest attempt first.
    pub fn of(
        stored_at: Timestamp,
        announced_at: Option<Timestamp>,
        done_when: &[String],
        reports: &[Report],
    ) -> Self {
        let mut services: Vec<&str> = done_when.iter().map(String::as_str).collect();
        for report in reports {
            if !services.contains(&report.service.as_str()) {
                services.push(&report.service);
            }
        }
        let services: Vec<_> = services.iter().map(|name| Station::of(name, reports)).collect();
        let required = &services[..done_when.len()];
        // The first service that is not done says how far the order is, or else the last one.
        let telling = required.iter().find(|it| !it.is_done()).or(required.last());
        let state = match telling.filter(|station| station.state != Phase::Waiting) {
            Some(station) => &station.word,
            None if announced_at.is_some() => "announced",
            None => "stored",
        };
        let state = state.to_owned();
        let mut stations = vec![
            Station::plain("stored", Some(stored_at)),
            Station::plain("announced", announced_at),
        ];
        stations.extend(services);
        Self { state, is_done: is_done(announced_at, done_when, reports), stations }
    }

    /// With a station for payments, if there are any. They come with the earliest first.
    pub fn with_payments(mut self, payments: &[PaymentEvent]) -> Self {
        self.stations.extend(Station::of_payments(payments));
        self
    }
}

/// Whether an order is done: it was announced, and every service in `done_when` has reported that
/// it is done.
pub fn is_done(announced_at: Option<Timestamp>, done_when: &[String], reports: &[Report]) -> bool {
    let is_done = |service: &String| {
        let mut done = reports.iter().filter(|report| report.state == State::Done);
        done.any(|report| report.service == *service)
    };
    announced_at.is_some() && done_when.iter().all(is_done)
}

impl Station {
    /// A station without attempts: it is completed, or about to be.
    fn plain(name: &str, at: Option<Timestamp>) -> Self {
        let (state, word) = match at {
            Some(_) => (Phase::Done, name),
            None => (Phase::Working, "in progress"),
        };
        Self {
            name: name.to_owned(),
            state,
            word: word.to_owned(),
            at: at.map(rfc3339),
            attempts: Vec::new(),
            attachments: Vec::new(),
        }
    }

    /// The station of a service, from its reports, the earliest attempt first.
    fn of(service: &str, reports: &[Report]) -> Self {
        let reports: Vec<_> = reports.iter().filter(|it| it.service == service).collect();
        // A message may be redelivered after it was handled: the first success counts.
        let done = reports.iter().find(|report| report.state == State::Done);
        let telling = done.or(reports.last());
        let state = telling.map_or(Phase::Waiting, |report| match report.state {
            State::Working => Phase::Working,
            State::Done => Phase::Done,
            State::Failed => Phase::Failed,
        });
        let step = telling.and_then(|report| report.steps.last());
        let attachments = done.map_or(Vec::new(), |report| report.attachments.clone());
        Self {
            name: service.to_owned(),
            state,
            word: step.map_or("pending", |step| &step.name).to_owned(),
            at: step.map(|step| rfc3339(step.at)),
            attempts: attempts(&reports),
            attachments: attachments.into_iter().map(with_safe_link).collect(),
        }
    }

    /// What became of payments: one that came in counts, or else the last that failed.
    fn of_payments(payments: &[PaymentEvent]) -> Option<Self> {
        let received = payments.iter().find(|event| event.outcome == Outcome::Received);
        let telling = received.or(payments.last())?;
        let attempts = payments.iter().map(|PaymentEvent { outcome, timestamp, data }| {
            let at = rfc3339(*timestamp);
            format!("Payment {}: {} {outcome} {}.", data.payment_id, data.amount, clock(&at))
        });
        Some(Self {
            name: PAYMENT.to_owned(),
            state: if received.is_some() { Phase::Done } else { Phase::Failed },
            word: telling.outcome.to_string(),
            at: Some(rfc3339(telling.timestamp)),
            attempts: attempts.collect(),
            attachments: Vec::new(),
        })
    }

    fn is_done(&self) -> bool {
        self.state == Phase::Done
    }
}

/// A link that leads to a page, and runs nothing.
fn with_safe_link(attachment: Attachment) -> Attachment {
    // To a browser, `//` and `/\` begin another host, also with a tab or a line break in between.
    let is_path =
        |link: &str| link.strip_prefix('/').is_some_and(|rest| !rest.starts_with(['/', '\\']));
    let is_safe = |link: &String| {
        (link.starts_with("https://") || is_path(link)) && !link.contains(char::is_control)
    };
    Attachment { link: attachment.link.filter(is_safe), ..attachment }
}

fn attempts(reports: &[&Report]) -> Vec<String> {
    let last = reports.len().saturating_sub(1);
    let sentence = |(index, report): (usize, &&Report)| {
        let steps = report.steps.iter();
        let steps = steps.map(|step| format!("{} {}", step.name, clock(&rfc3339(step.at))));
        let steps = steps.collect::<Vec<_>>().join(", ");
        // A worker that was killed reports no end.
        let abandoned = report.state == State::Working && index < last;
        let end = if abandoned { "; it never finished" } else { "" };
        format!("Attempt {}: {steps}{end}.", report.attempt)
    };
    reports.iter().enumerate().map(sentence).collect()
}

/// A time for programs, to the millisecond.
pub fn rfc3339(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// The time of day in an RFC 3339 time.
pub fn clock(at: &str) -> &str {
    at.split('T').nth(1).unwrap_or_default().trim_end_matches('Z')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{order::OrderId, report::Step};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    fn report(service: &str, attempt: u32, state: State, steps: &[(&str, i64)]) -> Report {
        let steps =
            steps.iter().map(|(name, millis)| Step { name: (*name).to_owned(), at: at(*millis) });
        Report {
            order_id: OrderId::new(),
            service: service.to_owned(),
            attempt,
            state,
            steps: steps.collect(),
            attachments: Vec::new(),
        }
    }

    fn timeline(done_when: &[&str], reports: &[Report]) -> Timeline {
        let done_when: Vec<_> = done_when.iter().map(|it| (*it).to_owned()).collect();
        Timeline::of(at(0), Some(at(1_000)), &done_when, reports)
    }

    fn check(reports: &[Report], phase: Phase, word: &str, attempts: &[&str]) {
        let fulfilment = &timeline(&["fulfilment"], reports).stations[2];
        assert_eq!((fulfilment.state, fulfilment.word.as_str()), (phase, word));
        assert_eq!(fulfilment.attempts, attempts);
    }

    #[test]
    fn a_station_is_in_the_phase_that_its_reports_say() {
        let killed = report("fulfilment", 1, State::Working, &[("started", 1_000)]);
        let failed =
            report("fulfilment", 2, State::Failed, &[("started", 2_000), ("failed", 2_500)]);
        let done =
            report("fulfilment", 3, State::Done, &[("started", 3_000), ("fulfilled", 3_001)]);
        let again = report("fulfilment", 4, State::Working, &[("started", 4_000)]);
        let started = "Attempt 1: started 00:00:01.000.";
        let unfinished = "Attempt 1: started 00:00:01.000; it never finished.";
        let failure = "Attempt 2: started 00:00:02.000, failed 00:00:02.500.";
        let success = "Attempt 3: started 00:00:03.000, fulfilled 00:00:03.001.";
        let repeated = "Attempt 4: started 00:00:04.000.";
        let all = [killed, failed, done, again];
        check(&[], Phase::Waiting, "pending", &[]);
        check(&all[..1], Phase::Working, "started", &[started]);
        check(&all[..2], Phase::Failed, "failed", &[unfinished, failure]);
        check(&all[..3], Phase::Done, "fulfilled", &[unfinished, failure, success]);
        // A redelivery after the success is listed, and changes nothing else.
        check(&all, Phase::Done, "fulfilled", &[unfinished, failure, success, repeated]);
    }

    #[test]
    fn a_phase_is_the_same_word_on_a_page_and_in_json() {
        for (phase, word) in [
            (Phase::Waiting, "waiting"),
            (Phase::Working, "working"),
            (Phase::Done, "done"),
            (Phase::Failed, "failed"),
        ] {
            assert_eq!(phase.to_string(), word);
            assert_eq!(serde_json::to_value(phase).unwrap(), word);
        }
    }

    #[test]
    fn an_order_is_done_when_the_services_of_the_setting_are() {
        let fulfilled = report("fulfilment", 1, State::Done, &[("fulfilled", 1)]);
        let invoicing = report("invoice", 1, State::Working, &[("started", 1)]);
        let both = [fulfilled.clone(), invoicing];
        for (done_when, reports, is_done, state) in [
            (&["fulfilment"][..], &both[..0], false, "announced"),
            (&["fulfilment"], &both[..1], true, "fulfilled"),
            (&["fulfilment"], &both, true, "fulfilled"),
            (&["fulfilment", "invoice"], &both[..1], false, "announced"),
            (&["fulfilment", "invoice"], &both, false, "started"),
            (&[], &both[..0], true, "announced"),
        ] {
            let timeline = timeline(done_when, reports);
            assert_eq!((timeline.is_done, timeline.state.as_str()), (is_done, state));
        }
        let unannounced = Timeline::of(at(0), None, &[], &[fulfilled]);
        assert_eq!((unannounced.is_done, unannounced.state.as_str()), (false, "stored"));
    }

    #[test]
    fn a_service_that_nobody_expected_has_a_station_once_it_reports() {
        let mut invoice = report("invoice", 1, State::Done, &[("written", 1)]);
        let link = |link: &str| Attachment {
            label: "Your invoice".to_owned(),
            code: None,
            link: Some(link.to_owned()),
        };
        let safe = ["https://example.com/7", "/invoices/7"];
        let unsafe_links =
            ["javascript:alert(1)", "//evil.example", "/\\evil.example", "/\t/evil.example", "7"];
        invoice.attachments = safe.into_iter().chain(unsafe_links).map(link).collect();
        let stations = timeline(&["fulfilment"], &[invoice]).stations;
        let names: Vec<_> = stations.iter().map(|station| station.name.as_str()).collect();
        assert_eq!(names, ["stored", "announced", "fulfilment", "invoice"]);
        let links = stations[3].attachments.iter().map(|it| it.link.as_deref());
        let expected = safe.into_iter().map(Some).chain(unsafe_links.map(|_| None));
        assert!(links.eq(expected), "{:?}", stations[3].attachments);
    }
}
