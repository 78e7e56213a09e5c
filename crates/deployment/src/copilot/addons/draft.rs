//! The files of addons, merged as Copilot merges them.

use std::{collections::BTreeMap, path::Path};

use crate::{
    cloudformation::{
        expression::Value,
        stack::Declared,
        template::{Conditional, Output, Parameter, Template},
    },
    mistake::Mistake,
};

/// The parameters that Copilot itself passes, with their values.
pub type Passed<'a> = [(&'static str, &'a str)];

/// The parameters that the addons declare, by name.
pub type Parameters = BTreeMap<String, Declared<Parameter>>;

/// What the files declare, before it is known what applies.
#[derive(Default)]
pub struct Draft {
    /// The parameters.
    pub parameters: Parameters,
    /// The conditions, by name.
    pub conditions: BTreeMap<String, Declared<Value>>,
    /// The resources, by logical id, each perhaps on a condition.
    pub resources: BTreeMap<String, Declared<Conditional>>,
    /// The outputs, by name.
    pub outputs: BTreeMap<String, Declared<Output>>,
}

impl Draft {
    /// Adds what `file` has.
    ///
    /// # Errors
    ///
    /// If it contradicts another file.
    pub fn add(&mut self, template: Template, file: &Path) -> Result<(), Mistake> {
        for (name, it) in template.parameters {
            let declared = Declared::new(it.value, file, it.referenced);
            if let Some(other) = self.parameters.get(&name)
                && other.value != declared.value
            {
                let what = format!(
                    "Parameters.{name}: Copilot merges the addons only if it is the same in {}",
                    other.file.display()
                );
                return Err(Mistake::at(file, it.referenced, what));
            }
            self.parameters.insert(name, declared);
        }
        for (name, value) in template.conditions {
            let place = value.location;
            insert("Conditions", &mut self.conditions, name, Declared::new(value, file, place))?;
        }
        for (id, it) in template.resources {
            let declared = Declared::new(it.value, file, it.referenced);
            insert("Resources", &mut self.resources, id, declared)?;
        }
        for (name, output) in template.outputs {
            let place = output.value.location;
            insert("Outputs", &mut self.outputs, name, Declared::new(output, file, place))?;
        }
        Ok(())
    }
}

/// Adds an entry to a section, which may be in one file only.
fn insert<T>(
    section: &str,
    all: &mut BTreeMap<String, Declared<T>>,
    name: String,
    declared: Declared<T>,
) -> Result<(), Mistake> {
    let (file, place) = (declared.file.clone(), declared.location);
    match all.insert(name.clone(), declared) {
        Some(other) => {
            let what = format!("{section}.{name}: it is in {} too", other.file.display());
            Err(Mistake::at(&file, place, what))
        }
        None => Ok(()),
    }
}
