//! The changing part of a page, and what makes it.

use askama::Template;

use crate::app::Choices;

/// The changing part of a page.
pub struct Main {
    pub title: String,
    pub html: String,
}

/// A part with this title.
///
/// # Errors
///
/// If the template fails.
pub fn made(title: &str, page: &impl Template) -> anyhow::Result<Main> {
    Ok(Main { title: title.to_owned(), html: page.render()? })
}

/// What a person chose, or an empty text.
pub fn chosen(choices: &Choices, name: &str) -> String {
    choices.get(name).map(|it| it.trim().to_owned()).unwrap_or_default()
}
