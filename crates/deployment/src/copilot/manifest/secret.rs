//! `secrets`: variables whose values are in SSM or in Secrets Manager, and in no file. ECS gets the
//! values when it starts a task; a manifest says only where they are.

use serde::{Deserialize, Deserializer};

use crate::yaml::{ShortOr, wrong};

/// Where the value of a secret is. A local account reads none of these places.
pub type Secret = ShortOr<Parameter, Named>;

/// The name of a parameter in SSM, or an ARN.
#[derive(Clone, Debug)]
pub struct Parameter;

/// A secret in Secrets Manager.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    #[serde(rename = "secretsmanager")]
    _name: Name,
}

/// The name of a secret in Secrets Manager, and perhaps of a key in it.
#[derive(Clone, Debug)]
struct Name;

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Copilot writes it into its template without quotes, so an ARN may have quotes of its own.
        let name = text.trim_matches('\'');
        if name.starts_with("arn:") && consists_of(name, "/_+=.@-:") {
            return Ok(Self);
        }
        let is_full = name.starts_with('/') || !name.contains('/');
        if is_full && consists_of(name, "/_.-") { Ok(Self) } else { Err(wrong(NO_NAME)) }
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if consists_of(&name, "/_+=.@-:") { Ok(Self) } else { Err(wrong(NO_NAME)) }
    }
}

/// It quotes nothing: the text may be the secret itself.
const NO_NAME: &str = "this is not the name or the ARN of a secret, and its value belongs in no \
     file; a name with slashes begins with one";

/// Whether `name` has only letters, digits, these `others`, and variables that Copilot replaces.
fn consists_of(name: &str, others: &str) -> bool {
    let name = name.replace("${COPILOT_", "").replace('}', "");
    let fits = |letter: char| letter.is_ascii_alphanumeric() || others.contains(letter);
    !name.is_empty() && name.chars().all(fits)
}
