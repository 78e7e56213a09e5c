//! The changing part of a page, and what makes it.

use askama::Template;
use axum::http::StatusCode;

use crate::app::Choices;

/// The changing part of a page.
pub struct Main {
    pub status: StatusCode,
    pub title: String,
    pub html: String,
}

impl Main {
    /// A part that shows what it should.
    pub fn new(title: &str, html: String) -> Self {
        Self { status: StatusCode::OK, title: title.to_owned(), html }
    }
}

/// A part with this title.
///
/// # Errors
///
/// If the template fails.
pub fn made(title: &str, page: &impl Template) -> anyhow::Result<Main> {
    Ok(Main::new(title, page.render()?))
}

/// What a person chose, or an empty text.
pub fn chosen(choices: &Choices, name: &str) -> String {
    choices.get(name).map(|it| it.trim().to_owned()).unwrap_or_default()
}
