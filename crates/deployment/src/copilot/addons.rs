//! A service's addons: all files of its `addons` directory, merged into one template.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::names::Names;
use crate::{
    cloudformation::{
        expression::{Expression, Text},
        policy::{self, Attached},
        stack::{Declared, ResourceId, Stack},
        template::{Conditional, Output, Parameter, Resource, Template},
    },
    files::entries,
    mistake::{Mistake, Wrong},
    yaml,
};

/// The addons of a service.
#[derive(Clone, Debug)]
pub struct Addons {
    /// Their stack, nested in that of the service.
    pub stack: Stack,
    /// The file with the arguments for their parameters, if there is one.
    pub arguments_file: Option<PathBuf>,
}

/// The content of `addons.parameters.yml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Arguments {
    /// The values of parameters, as expressions of the service's own stack.
    parameters: BTreeMap<String, Text>,
}

/// The parameters that the addons declare, by name.
type Parameters = BTreeMap<String, Declared<Parameter>>;

impl Addons {
    /// Reads the addons of the service in `directory`, if it has any.
    ///
    /// # Errors
    ///
    /// [`Mistake`] in one of the files, or between two of them.
    pub fn read(names: &Names<'_>, directory: &Path) -> Result<Self, Mistake> {
        let (name, parent) = (names.physical("AddonsStack"), Some(names.stack()));
        let stack = Stack { name, parent, ..Stack::default() };
        let mut addons = Self { stack, arguments_file: None };
        let directory = directory.join("addons");
        if !directory.exists() {
            return Ok(addons);
        }
        let mut arguments = BTreeMap::new();
        let mut parameters = Parameters::new();
        for (name, file) in entries(&directory)? {
            match name.rsplit_once('.') {
                Some(("addons.parameters", "yml" | "yaml")) => {
                    if addons.arguments_file.is_some() {
                        return Err(Mistake::of(&file, "Copilot accepts only one such file"));
                    }
                    arguments = yaml::read::<Arguments>(&file)?.parameters;
                    addons.arguments_file = Some(file);
                }
                Some((_, "yml" | "yaml")) => {
                    addons.add(yaml::read(&file)?, &file, &mut parameters)?;
                }
                _ => {}
            }
        }
        addons.pass_names(names, &directory, &arguments, &mut parameters)?;
        addons.pass_arguments(arguments, &mut parameters)?;
        addons.pass_defaults(parameters)?;
        addons.check_policies()?;
        Ok(addons)
    }

    /// The outputs that become variables of the service: all except managed policies, which
    /// Copilot attaches to the role of its task.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Declared<Output>)> {
        let outputs = self.stack.outputs.iter().filter(|(_, output)| !self.is_policy(output));
        outputs.map(|(name, output)| (name.as_str(), output))
    }

    /// Whether one of the outputs is a managed policy.
    pub fn has_policy_output(&self) -> bool {
        self.stack.outputs.values().any(|output| self.is_policy(output))
    }

    /// The policies that Copilot attaches to the role of the service's tasks: those that are
    /// outputs.
    pub fn policies(&self) -> impl Iterator<Item = ResourceId> {
        let outputs = self.stack.outputs.values().filter(|output| self.is_policy(output));
        outputs.filter_map(|output| match &output.value.value.expression {
            Expression::Ref(id) => Some(self.stack.resource_id(id)),
            _ => None,
        })
    }

    fn is_policy(&self, output: &Declared<Output>) -> bool {
        let Expression::Ref(id) = &output.value.value.expression else {
            return false;
        };
        let resource = self.stack.resources.get(id).map(|resource| &resource.value);
        matches!(resource, Some(Resource::Policy(_)))
    }

    fn add(
        &mut self,
        template: Template,
        file: &Path,
        parameters: &mut Parameters,
    ) -> Result<(), Mistake> {
        for (name, it) in template.parameters {
            let declared = Declared::new(it.value, file, it.referenced);
            if let Some(other) = parameters.get(&name)
                && other.value != declared.value
            {
                let what = format!(
                    "Parameters.{name}: Copilot merges the addons only if it is the same in {}",
                    other.file.display()
                );
                return Err(Mistake::at(file, it.referenced, what));
            }
            parameters.insert(name, declared);
        }
        for (id, it) in template.resources {
            let Conditional { condition, resource } = it.value;
            if let Some(condition) = condition {
                let what = format!("Resources.{id}.Condition: not supported by the local account");
                return Err(Mistake::at(file, condition.referenced, what));
            }
            check(&resource).map_err(|(place, what)| {
                Mistake::at(file, place, format!("Resources.{id}: {what}"))
            })?;
            let declared = Declared::new(resource, file, it.referenced);
            if let Some(other) = self.stack.resources.insert(id.clone(), declared) {
                let what = format!("Resources.{id}: it is in {} too", other.file.display());
                return Err(Mistake::at(file, it.referenced, what));
            }
        }
        for (name, output) in template.outputs {
            let place = output.value.location;
            let declared = Declared::new(output, file, place);
            if let Some(other) = self.stack.outputs.insert(name.clone(), declared) {
                let what = format!("Outputs.{name}: it is in {} too", other.file.display());
                return Err(Mistake::at(file, place, what));
            }
        }
        Ok(())
    }

    /// Passes the parameters that Copilot passes to all addons, which therefore have to exist.
    fn pass_names(
        &mut self,
        names: &Names<'_>,
        directory: &Path,
        arguments: &BTreeMap<String, Text>,
        parameters: &mut Parameters,
    ) -> Result<(), Mistake> {
        let values =
            [("App", names.application), ("Env", names.environment), ("Name", names.service)];
        for (name, value) in values {
            if parameters.remove(name).is_none() && !self.stack.resources.is_empty() {
                let what = format!("Parameters.{name}: it is missing; Copilot passes it to addons");
                return Err(Mistake::of(directory, what));
            }
            if let (Some(file), Some(text)) = (&self.arguments_file, arguments.get(name)) {
                let what = format!("Parameters.{name}: Copilot passes it itself");
                return Err(Mistake::at(file, text.location, what));
            }
            self.stack.parameters.insert(name.to_owned(), literal(value.to_owned()));
        }
        Ok(())
    }

    fn pass_arguments(
        &mut self,
        arguments: BTreeMap<String, Text>,
        parameters: &mut Parameters,
    ) -> Result<(), Mistake> {
        for (name, text) in arguments {
            if let (None, Some(file)) = (parameters.remove(&name), &self.arguments_file) {
                let what = format!("Parameters.{name}: no addon has such a parameter");
                return Err(Mistake::at(file, text.location, what));
            }
            self.stack.parameters.insert(name, text);
        }
        Ok(())
    }

    /// A policy that is not an output is attached to nothing.
    fn check_policies(&self) -> Result<(), Mistake> {
        let attached: Vec<_> = self.policies().collect();
        for (id, declared) in &self.stack.resources {
            let is_policy = matches!(declared.value, Resource::Policy(_));
            if is_policy && !attached.contains(&self.stack.resource_id(id)) {
                let what = format!(
                    "Resources.{id}: Copilot attaches a policy only if an output is a !Ref to it"
                );
                return Err(Mistake::at(&declared.file, declared.location, what));
            }
        }
        Ok(())
    }

    /// The parameters that are left need a default.
    fn pass_defaults(&mut self, parameters: Parameters) -> Result<(), Mistake> {
        for (name, declared) in parameters {
            let Some(default) = declared.value.default else {
                let what = format!(
                    "Parameters.{name}: it has no Default, and addons.parameters.yml has no value"
                );
                return Err(Mistake::at(&declared.file, declared.location, what));
            };
            self.stack.parameters.insert(name, literal(default.0));
        }
        Ok(())
    }
}

/// Checks what the types of a resource leave open.
fn check(resource: &Resource) -> Result<(), Wrong> {
    match resource {
        Resource::Table(table) => table.undefined_key().map_or(Ok(()), Err),
        Resource::Policy(document) => policy::check(document, Attached::ToRole),
        Resource::QueuePolicy(it) => policy::check(&it.policy_document, Attached::ToResource),
        _ => Ok(()),
    }
}

fn literal(text: String) -> Text {
    Text::made(Expression::Literal(text))
}
