//! Pages that are a sentence.

use askama::Template;
use axum::http::StatusCode;

use super::part::{Main, made};

#[derive(Template)]
#[template(path = "sentence.html")]
struct Sentence<'a> {
    title: &'a str,
    text: &'a str,
    /// The page that it came from.
    from: Option<&'a str>,
}

/// A page that says what is wrong.
pub fn problem(status: StatusCode, text: &str) -> Main {
    let title = "That does not work";
    let page = Sentence { title, text, from: None };
    let main = made(title, &page).unwrap_or_else(|_| Main::new(title, String::new()));
    Main { status, ..main }
}

/// A page that says what there is not.
pub fn missing(text: &str) -> Main {
    problem(StatusCode::NOT_FOUND, text)
}

/// A page that says what became of an action on the page `from`.
pub fn outcome(text: &str, from: &str) -> anyhow::Result<Main> {
    made("Done", &Sentence { title: "Done", text, from: Some(from) })
}
