//! The names of applications, environments and services.

use serde_saphyr::Spanned;

use super::yaml::Wrong;

/// The directories under `copilot/` that are no service.
pub const RESERVED: [&str; 2] = ["environments", "pipelines"];

/// Whether Copilot takes a name: `^[a-z][a-z0-9-]+$`, with no two hyphens together or at the end.
pub fn check_name(name: &Spanned<String>) -> Result<(), Wrong> {
    let text = &name.value;
    let fits =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let begins = text.starts_with(|letter: char| letter.is_ascii_lowercase());
    let hyphens = text.contains("--") || text.ends_with('-');
    if text.len() > 1 && begins && text.chars().all(fits) && !hyphens {
        return Ok(());
    }
    let what = format!("{text:?} is not a name: small letters, digits and single hyphens");
    Err((name.referenced, what))
}
