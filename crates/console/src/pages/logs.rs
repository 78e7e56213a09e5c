//! The log lines of all services together.

use std::sync::Arc;

use askama::Template;

use super::part::{Main, chosen, made};
use crate::{
    app::{App, Choices},
    logs::{Entry, Filter},
    times::clock,
};

/// How many lines are shown.
const LINES: usize = 200;

#[derive(Template)]
#[template(path = "logs.html")]
struct Page {
    filter: Filter,
    services: Vec<String>,
    lines: Option<Vec<Arc<Entry>>>,
}

pub fn main(app: &App, choices: &Choices) -> anyhow::Result<Main> {
    let filter = Filter {
        service: chosen(choices, "service"),
        level: chosen(choices, "level"),
        text: chosen(choices, "text"),
        trace: chosen(choices, "trace"),
    };
    let tasks = app.sources.processes.as_ref().map(|it| it.tasks()).unwrap_or_default();
    let names = tasks.into_iter().map(|task| task.name);
    let lines = app.sources.logs.as_ref().map(|logs| logs.last(&filter, LINES));
    let services = names.chain(["local".to_owned()]).collect();
    made("Logs", &Page { filter, services, lines })
}
