//! The pages: each reads what it shows, and makes the HTML of it.

use askama::Template;

use crate::app::{App, Choices};

mod part;

mod services;

mod logs;

mod messages;

mod queue;

mod traffic;

mod weather;

mod traces;

mod waterfall;

mod tables;

mod flow;

pub use part::Main;

use part::made;

/// The page at `path`; none if there is no such page.
///
/// # Errors
///
/// If what it shows cannot be read.
pub async fn main(app: &App, path: &str, choices: &Choices) -> anyhow::Result<Option<Main>> {
    let parts: Vec<_> = path.split('/').collect();
    Ok(Some(match parts[..] {
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
        _ => return Ok(None),
    }))
}

#[derive(Template)]
#[template(path = "sentence.html")]
struct Sentence<'a> {
    title: &'a str,
    text: &'a str,
    /// The page that it came from.
    from: Option<&'a str>,
}

/// A page that says what is wrong.
pub fn problem(text: &str) -> Main {
    let title = "That does not work";
    let page = Sentence { title, text, from: None };
    made(title, &page).unwrap_or(Main { title: title.to_owned(), html: String::new() })
}

/// A page that says what became of an action on the page `from`.
pub fn outcome(text: &str, from: &str) -> anyhow::Result<Main> {
    made("Done", &Sentence { title: "Done", text, from: Some(from) })
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
