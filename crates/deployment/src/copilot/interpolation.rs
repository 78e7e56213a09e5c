//! The changes that Copilot makes to the texts of a manifest before it reads them.
//!
//! It replaces `${NAME}` by a variable of the shell that deploys, so the result would depend on who
//! deploys; only an argument of a build, such as the commit, may. It also turns a text that is a
//! JSON list of texts into a YAML list.

use super::names::Names;
use crate::{
    cloudformation::expression::{Data, Expression, Value},
    mistake::Wrong,
};

const APPLICATION: &str = "COPILOT_APPLICATION_NAME";
const ENVIRONMENT: &str = "COPILOT_ENVIRONMENT_NAME";
const BUILD_ARGUMENTS: &str = "image.build.args.";

/// Checks that Copilot does not change the texts of a manifest.
///
/// # Errors
///
/// The first text that it would change.
pub fn check(manifest: &Value) -> Result<(), Wrong> {
    walk(manifest, "")
}

/// `text` as Copilot reads it: with its own variables replaced, and without escapes.
pub fn interpolated(text: &str, names: &Names<'_>) -> String {
    let parts = text.split("\\${").map(|part| {
        part.replace(&format!("${{{APPLICATION}}}"), names.application)
            .replace(&format!("${{{ENVIRONMENT}}}"), names.environment)
    });
    parts.collect::<Vec<_>>().join("${")
}

fn walk(value: &Value, key: &str) -> Result<(), Wrong> {
    match &value.data {
        Data::Map(entries) => entries.iter().try_for_each(|(name, value)| {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            walk(value, &key)
        }),
        Data::List(values) => (values.iter().enumerate())
            .try_for_each(|(index, value)| walk(value, &format!("{key}[{index}]"))),
        Data::Text(text) => match &text.expression {
            Expression::Literal(_) if key.starts_with(BUILD_ARGUMENTS) => Ok(()),
            Expression::Literal(literal) => match mistake(literal) {
                Some(what) => Err((text.location, format!("{key}: {what}"))),
                None => Ok(()),
            },
            _ => Err((text.location, format!("{key}: functions are not allowed in a manifest"))),
        },
        Data::Call(_) => {
            Err((value.location, format!("{key}: functions are not allowed in a manifest")))
        }
        Data::Plain(_) => Ok(()),
    }
}

fn mistake(text: &str) -> Option<String> {
    if let Some(name) = shell_variable(text) {
        return Some(format!(
            "Copilot would take ${{{name}}} from the shell that deploys; write \\${{{name}}} to \
             keep it"
        ));
    }
    // A block ends with a line break; Copilot keeps such a text.
    let list = serde_json::from_str::<Vec<String>>(text).is_ok_and(|texts| !texts.is_empty());
    (list && !text.ends_with('\n')).then(|| {
        "Copilot would turn this text into a list; write it as a block, after |".to_owned()
    })
}

/// The first name in `${}` that is not one of Copilot's own variables.
fn shell_variable(text: &str) -> Option<&str> {
    text.match_indices("${").find_map(|(start, _)| {
        let (name, _) = text[start + 2..].split_once('}')?;
        let fits = |letter: char| letter == '_' || letter.is_ascii_alphanumeric();
        let is_name = name.chars().all(fits)
            && name.starts_with(|it: char| it == '_' || it.is_ascii_alphabetic());
        let known = [APPLICATION, ENVIRONMENT].contains(&name);
        (is_name && !known && !text[..start].ends_with('\\')).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::{interpolated, mistake};
    use crate::copilot::names::Names;

    #[test]
    fn only_copilots_own_variables_are_replaced() {
        let names = Names { application: "pubsub", environment: "test", service: "publisher" };
        let examples = [
            ("plain $HOME", "plain $HOME"),
            ("${COPILOT_APPLICATION_NAME}-${COPILOT_ENVIRONMENT_NAME}", "pubsub-test"),
            (r"\${COPILOT_ENVIRONMENT_NAME}", "${COPILOT_ENVIRONMENT_NAME}"),
            (r"\${HOME}", "${HOME}"),
        ];
        for (text, expected) in examples {
            assert_eq!(mistake(text), None, "{text}");
            assert_eq!(interpolated(text, &names), expected, "{text}");
        }
    }

    #[test]
    fn texts_that_copilot_would_change_are_mistakes() {
        for text in ["${HOME}", "a ${_b1} c", r#"["a", "b"]"#] {
            assert!(mistake(text).is_some(), "{text}");
        }
        for text in ["${1}", "${a-b}", "[]", "[1]", "[\"a\"]\n"] {
            assert_eq!(mistake(text), None, "{text}");
        }
    }
}
