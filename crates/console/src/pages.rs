//! The pages: each reads what it shows, and makes the HTML of it.

use askama::Template;

use crate::app::{App, Choices};

mod part;

mod sentence;

mod services;

mod logs;

mod messages;

mod queue;

mod traffic;

pub mod weather;

mod traces;

mod waterfall;

mod tables;

mod flow;

pub use part::Main;
pub use sentence::{outcome, problem};

/// The page at `path`. If there is no such page, it is one that says so.
///
/// # Errors
///
/// If what it shows cannot be read.
pub async fn main(app: &App, path: &str, choices: &Choices) -> anyhow::Result<Main> {
    let parts: Vec<_> = path.split('/').collect();
    Ok(match parts[..] {
        ["services"] => services::main(app)?,
        ["logs"] => logs::main(app, choices)?,
        ["messages"] => messages::main(app).await?,
        ["messages", queue] => queue::main(app, queue, choices).await?,
        ["traffic"] => traffic::main(app)?,
        ["weather"] => weather::main(app).await?,
        ["traces"] => traces::main(app, choices)?,
        ["traces", id] => waterfall::main(app, id)?,
        ["tables"] => tables::main(app, choices).await?,
        ["flow"] => flow::main(app).await?,
        _ => sentence::missing("There is no such page."),
    })
}

#[derive(Template)]
#[template(path = "base.html")]
struct Base<'a> {
    title: &'a str,
    /// The first part of the path.
    section: &'a str,
    /// The URL of the publisher for a browser.
    page: Option<&'a str>,
    main: &'a str,
}

impl Base<'_> {
    /// Whether it is in the section at this path.
    fn is(&self, path: &str) -> bool {
        self.section == path
    }
}

/// The sections, and their names.
const SECTIONS: [(&str, &str); 8] = [
    ("services", "Services"),
    ("traffic", "Traffic"),
    ("weather", "Weather"),
    ("messages", "Messages"),
    ("traces", "Traces"),
    ("logs", "Logs"),
    ("tables", "Tables"),
    ("flow", "Flow"),
];

/// A whole page.
///
/// # Errors
///
/// If the template fails.
pub fn whole(app: &App, section: &str, main: &Main) -> anyhow::Result<String> {
    let page = app.sources.page_in_browser.as_deref();
    Ok(Base { title: &main.title, section, page, main: &main.html }.render()?)
}
