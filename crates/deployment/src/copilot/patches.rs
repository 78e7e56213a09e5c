//! `overrides/cfn.patches.yml`: the changes of a service to the template that Copilot writes.
//!
//! A patch fails the deployment if its path is not in the template, and fails it later if it adds a
//! property under a wrong name.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::outline::Outline;
use crate::{
    cloudformation::expression::{Data, Value, index},
    mistake::{Mistake, Wrong},
    yaml::{self, wrong},
};

/// The longest time that Fargate allows between SIGTERM and SIGKILL.
const MAX_STOP_TIMEOUT_SECONDS: u64 = 120;

/// The changes of a service.
#[derive(Clone, Debug)]
pub struct Patches {
    /// Their file, whether it exists or not.
    pub file: PathBuf,
    patches: Vec<Patch>,
}

/// One change, as in RFC 6902. Copilot supports three of its operations.
#[derive(Clone, Debug)]
pub struct Patch {
    path: Spanned<Pointer>,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Add(Value),
    Replace(Value),
    Remove,
}

impl Patches {
    /// Reads the patches of the service in `directory`, if it has any.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`] in them.
    pub fn read(directory: &Path) -> Result<Self, Mistake> {
        let file = directory.join("overrides/cfn.patches.yml");
        let patches = if file.exists() { yaml::read(&file)? } else { Vec::new() };
        Ok(Self { file, patches })
    }

    /// Applies all of them to `outline`.
    ///
    /// # Errors
    ///
    /// The first patch that does not fit.
    pub fn apply(&self, outline: &mut Outline) -> Result<(), Wrong> {
        for patch in &self.patches {
            let place = patch.path.referenced;
            (patch.apply(&mut outline.template))
                .map_err(|what| (place, format!("path: {what}")))?;
            if let Some(circle) = outline.circle() {
                return Err((place, format!("path: with it, {circle}")));
            }
        }
        let mut values = self.patches.iter().filter_map(|patch| match &patch.change {
            Change::Add(value) | Change::Replace(value) => Some(value),
            Change::Remove => None,
        });
        values.try_for_each(|value| outline.check_references(value))
    }
}

impl Patch {
    fn apply(&self, template: &mut Value) -> Result<(), String> {
        let Pointer(tokens) = &self.path.value;
        let mut place = template;
        let mut walked = String::new();
        let (last, parents) = tokens.split_last().ok_or("it is empty")?;
        for token in parents {
            walked = format!("{walked}/{token}");
            place = (place.child(token))
                .ok_or_else(|| format!("Copilot's template has no {walked} here"))?;
        }
        self.check_stop_timeout(last)?;
        let done = match &mut place.data {
            Data::Map(entries) => self.change_entry(entries, last)?,
            Data::List(values) => self.change_item(values, last),
            Data::Plain(_) | Data::Text(_) | Data::Call(_) => false,
        };
        if done { Ok(()) } else { Err(format!("Copilot's template has no {walked}/{last} here")) }
    }

    fn check_stop_timeout(&self, name: &str) -> Result<(), String> {
        let (Change::Add(value) | Change::Replace(value)) = &self.change else {
            return Ok(());
        };
        match &value.data {
            Data::Plain(seconds) if name == "StopTimeout" => {
                let waits = seconds.as_u64().is_some_and(|it| it <= MAX_STOP_TIMEOUT_SECONDS);
                let what =
                    format!("Fargate waits 0 to {MAX_STOP_TIMEOUT_SECONDS} s, not {seconds}");
                if waits { Ok(()) } else { Err(what) }
            }
            _ => Ok(()),
        }
    }

    fn change_entry(
        &self,
        entries: &mut BTreeMap<String, Value>,
        name: &str,
    ) -> Result<bool, String> {
        let exists = entries.contains_key(name);
        match &self.change {
            Change::Add(value) => {
                let may_be_added = entries.remove(&format!("{name}?")).is_some();
                if !exists && !may_be_added && entries.keys().any(|name| name.ends_with('?')) {
                    return Err(format!("CloudFormation has no property {name} there"));
                }
                entries.insert(name.to_owned(), value.clone());
            }
            Change::Replace(_) | Change::Remove if !exists => return Ok(false),
            Change::Replace(value) => {
                entries.insert(name.to_owned(), value.clone());
            }
            Change::Remove => {
                entries.remove(name);
            }
        }
        Ok(true)
    }

    /// In a list, a patch adds before an item, or with `-` after the last one.
    fn change_item(&self, values: &mut Vec<Value>, token: &str) -> bool {
        let Some(index) = (if token == "-" { Some(values.len()) } else { index(token) }) else {
            return false;
        };
        match &self.change {
            Change::Add(value) if index <= values.len() => values.insert(index, value.clone()),
            Change::Replace(value) if index < values.len() => values[index] = value.clone(),
            Change::Remove if index < values.len() => {
                values.remove(index);
            }
            _ => return false,
        }
        true
    }
}

impl<'de> Deserialize<'de> for Patch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Keys {
            op: Operation,
            path: Spanned<Pointer>,
            value: Option<Value>,
        }
        let keys = Keys::deserialize(deserializer)?;
        let change = match (keys.op, keys.value) {
            (Operation::Add, Some(value)) => Change::Add(value),
            (Operation::Replace, Some(value)) => Change::Replace(value),
            (Operation::Remove, None) => Change::Remove,
            (Operation::Remove, Some(_)) => {
                return Err(wrong("a patch that removes must not have a value"));
            }
            (_, None) => return Err(wrong("the patch needs a value")),
        };
        Ok(Self { path: keys.path, change })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Add,
    Replace,
    Remove,
}

/// A place in the template, as a JSON pointer (RFC 6901).
#[derive(Clone, Debug)]
struct Pointer(Vec<String>);

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let Some(tokens) = text.strip_prefix('/') else {
            return Err(wrong(format!("{text:?} should start with /, such as /Resources")));
        };
        Ok(Self(tokens.split('/').map(|it| it.replace("~1", "/").replace("~0", "~")).collect()))
    }
}
