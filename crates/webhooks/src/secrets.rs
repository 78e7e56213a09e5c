//! A setting that is secret: no log and no error shows it.

use std::{convert::Infallible, fmt, str::FromStr};

/// The text of a secret setting. It is not read here, because `clap` quotes what it cannot read.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets(String);

impl Secrets {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secrets {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}
