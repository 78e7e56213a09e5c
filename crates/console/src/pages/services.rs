//! The processes, what they use, and their last lines.

use std::collections::BTreeSet;

use askama::Template;

use super::part::{Main, made};
use crate::{
    app::App,
    logs::{Entry, Filter},
    processes::{MAX_TASKS, State, Task},
    times::clock,
    usage::memory_mb,
};

/// How many lines of each process are shown.
const LINES: usize = 3;

#[derive(Template)]
#[template(path = "services.html")]
struct Page<'a> {
    token: &'a str,
    tasks: Option<Vec<Shown>>,
    workers: Vec<(String, usize)>,
    max_tasks: usize,
}

struct Shown {
    task: Task,
    memory: Option<String>,
    cpu: Option<String>,
    lines: Vec<String>,
}

impl Shown {
    fn of(app: &App, task: Task) -> Self {
        let filter = Filter { service: task.name.clone(), ..Filter::default() };
        let logs = app.sources.logs.as_ref();
        let lines = logs.map(|logs| logs.last(&filter, LINES)).unwrap_or_default();
        let more = |it: &Entry| if it.rest.is_empty() { "" } else { " …" };
        let lines = lines.iter();
        let lines = lines.map(|it| format!("{} {}{}", clock(it.at), it.message, more(it)));
        Self {
            memory: task.pid.and_then(memory_mb).map(|it| format!("{it:.1} MB")),
            cpu: task.pid.and_then(|pid| app.usage.cpu_percent(pid)).map(|it| format!("{it:.0} %")),
            lines: lines.collect(),
            task,
        }
    }

    /// What can be done with it, and a word for that.
    fn actions(&self) -> &'static [(&'static str, &'static str)] {
        match self.task.state {
            State::Running => &[("kill", "Kill"), ("stop", "Stop"), ("freeze", "Freeze")],
            State::Frozen => &[("kill", "Kill"), ("stop", "Stop"), ("continue", "Continue")],
            State::Stopping => &[("kill", "Kill")],
            State::Stopped => &[("start", "Start")],
            State::Restarting => &[],
        }
    }
}

pub fn main(app: &App) -> anyhow::Result<Main> {
    let tasks = app.sources.processes.as_ref().map(|it| it.tasks());
    let running = tasks.iter().flatten();
    let pids: Vec<_> = running.clone().filter_map(|task| task.pid).collect();
    app.usage.keep(&pids);
    let workers: BTreeSet<_> =
        running.clone().filter(|it| it.is_worker).map(|it| it.service.clone()).collect();
    let count = |service: &String| running.clone().filter(|it| it.service == *service).count();
    let page = Page {
        token: &app.token,
        workers: workers.iter().map(|service| (service.clone(), count(service))).collect(),
        max_tasks: MAX_TASKS,
        tasks: tasks.map(|tasks| tasks.into_iter().map(|task| Shown::of(app, task)).collect()),
    };
    made("Services", &page)
}
