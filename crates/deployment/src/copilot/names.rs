//! The names of applications, environments and services, and the names made of them.

use serde_saphyr::Spanned;

use crate::mistake::Wrong;

/// The directories under `copilot/` that are not services.
pub const RESERVED: [&str; 2] = ["environments", "pipelines"];

/// The names of a service's application, of its environment and of itself.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The application.
    pub application: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// The service.
    pub service: &'a str,
}

impl Names<'_> {
    /// The name of the service's stack.
    pub fn stack(&self) -> String {
        let Self { application, environment, service } = self;
        format!("{application}-{environment}-{service}")
    }

    /// The name of one of the service's resources: the name of the stack, a hyphen and `name`.
    pub fn physical(&self, name: &str) -> String {
        format!("{}-{name}", self.stack())
    }
}

/// Whether Copilot accepts a name: `^[a-z][a-z0-9-]+$`, without two hyphens in a row or one at the
/// end.
pub fn check_name(name: &Spanned<String>) -> Result<(), Wrong> {
    let text = &name.value;
    let is_allowed =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let begins_well = text.starts_with(|letter: char| letter.is_ascii_lowercase());
    let stray_hyphen = text.contains("--") || text.ends_with('-');
    if text.len() > 1 && begins_well && text.chars().all(is_allowed) && !stray_hyphen {
        return Ok(());
    }
    let what = format!("{text:?} is not a name: lower-case letters, digits and single hyphens");
    Err((name.referenced, what))
}
