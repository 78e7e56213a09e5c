//! `variables`: texts. Copilot takes a value as it is typed, whatever YAML takes it for.

use serde::{Deserialize, Deserializer};

/// The value of a variable. Null is an empty text, and overrides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable(pub Option<String>);

impl Variable {
    /// The text.
    pub fn text(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Variable {
    /// An optional text keeps `010`, `yes` and `1e3` as they are.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}
