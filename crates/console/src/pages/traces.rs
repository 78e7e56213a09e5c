//! The latest traces, and the search for one.

use std::{collections::BTreeSet, time::Duration};

use askama::Template;
use jiff::Timestamp;

use super::part::{Main, chosen, made};
use crate::{
    app::{App, Choices},
    spans::Trace,
    times::{clock, millis},
};

/// How many traces are shown.
const SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "traces.html")]
struct Page {
    find: String,
    traces: Option<Vec<Shown>>,
}

struct Shown {
    id: String,
    at: String,
    name: String,
    order: String,
    services: String,
    spans: usize,
    took: String,
    failed: bool,
}

impl Shown {
    fn of(trace: &Trace) -> Self {
        let [began, ended] = trace.nanos();
        let first = trace.spans.iter().min_by_key(|span| span.nanos[0]);
        let services: BTreeSet<_> = trace.spans.iter().map(|it| it.service.as_str()).collect();
        Self {
            id: trace.id.clone(),
            at: at(began),
            name: first.map(|span| span.name.clone()).unwrap_or_default(),
            order: trace.order.clone().unwrap_or_default(),
            services: services.into_iter().collect::<Vec<_>>().join(", "),
            spans: trace.spans.len(),
            took: millis(Duration::from_nanos(ended.saturating_sub(began))),
            failed: trace.spans.iter().any(|span| span.failed),
        }
    }
}

/// The time of day of nanoseconds since 1970.
pub fn at(nanos: u64) -> String {
    Timestamp::from_nanosecond(nanos.into()).map(clock).unwrap_or_default()
}

/// The latest traces; with a search, the traces of an order or with an id.
pub fn main(app: &App, choices: &Choices) -> anyhow::Result<Main> {
    let find = chosen(choices, "find");
    let traces = app.sources.spans.as_ref().map(|spans| {
        let found = if find.is_empty() {
            spans.last(SHOWN)
        } else {
            spans.trace(&find).or_else(|| spans.of_order(&find)).into_iter().collect()
        };
        found.iter().map(Shown::of).collect()
    });
    made("Traces", &Page { find, traces })
}
