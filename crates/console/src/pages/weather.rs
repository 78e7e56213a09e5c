//! What fails of AWS, and in which way.

use std::collections::BTreeSet;

use account::{
    proxy::{
        Way,
        part::{DELIVERIES, EVERYTHING, OPERATIONS, SERVICES},
        weather::Weather,
    },
    resources,
};
use askama::Template;

use super::part::{Main, made};
use crate::app::App;

/// A call cannot be refused by a connection that others share.
const NOT_FOR_CALLS: Way = Way::Refused;

#[derive(Template)]
#[template(path = "weather.html")]
struct Page<'a> {
    token: &'a str,
    can_change: bool,
    /// Whether they are processes of this program, which `local weather` finds.
    has_services: bool,
    now: Vec<Weather>,
    calls: Vec<&'a str>,
    resources: BTreeSet<String>,
    ways: Vec<(String, &'static str)>,
}

pub async fn main(app: &App) -> anyhow::Result<Main> {
    let sky = app.sky();
    // From the whole to its parts.
    let mut calls: Vec<_> = SERVICES.into_iter().chain(OPERATIONS).collect();
    calls.sort_unstable();
    calls.insert(0, EVERYTHING);
    let page = Page {
        token: &app.token,
        can_change: sky.is_some(),
        has_services: app.sources.processes.is_some(),
        now: match sky {
            Some(sky) => sky.now().await?,
            None => Vec::new(),
        },
        calls,
        resources: resources::names(&app.dynamodb, &app.sns, &app.sqs).await?,
        ways: ways(),
    };
    made("Weather", &page)
}

/// The ways in which calls fail, each with what it means.
pub fn ways() -> Vec<(String, &'static str)> {
    let all = Way::ALL.into_iter().filter(|(way, _)| *way != NOT_FOR_CALLS);
    let meaning = |way| match way {
        Way::ServerError => "answers 500",
        Way::Throttled => "answers that there are too many requests",
        Way::Hanging => "does not answer",
        Way::Reset | Way::Refused => "resets the connection",
        Way::AnswerLost => "does it, and the answer is lost",
        Way::Denied => "answers that the permission is missing",
        Way::Half => "answers 500 to half of the calls",
        Way::Slow => "answers two seconds late",
    };
    all.map(|(way, name)| (name.to_owned(), meaning(way))).collect()
}
