//! The addons of a service, or of the environments: all files of an `addons` directory, merged into
//! one template.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::names::Names;
use crate::{
    cloudformation::{
        conditional::{applies, resource},
        conditions::Conditions,
        expression::{Expression, Text},
        stack::{Declared, ResourceId, Stack},
        template::{Output, Resource},
    },
    files::entries,
    mistake::{Mistake, Wrong},
    yaml,
};

mod check;
mod draft;

use self::{
    check::{check_passed, check_policies, check_references},
    draft::{Draft, Parameters, Passed},
};

/// The addons of a service, or of the environments.
#[derive(Clone, Debug)]
pub struct Addons {
    /// Their stack, nested in that of the service or environment.
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

impl Addons {
    /// Reads the addons of the service in `directory`, if it has any.
    ///
    /// # Errors
    ///
    /// [`Mistake`] in one of the files, or between two of them.
    pub fn read(names: &Names<'_>, directory: &Path) -> Result<Self, Mistake> {
        let passed =
            [("App", names.application), ("Env", names.environment), ("Name", names.service)];
        let (mut addons, draft) = Self::merged(&directory.join("addons"), names.stack(), &passed)?;
        addons.apply(draft)?;
        check_policies(&addons.stack, &addons.policies().collect::<Vec<_>>())?;
        Ok(addons)
    }

    /// Reads the addons of the environments, if there are any, for one of them.
    ///
    /// # Errors
    ///
    /// As [`Addons::read`].
    pub fn of_environment(
        application: &str,
        environment: &str,
        directory: &Path,
    ) -> Result<Self, Mistake> {
        let parent = format!("{application}-{environment}");
        let passed = [("App", application), ("Env", environment)];
        let directory = directory.join("environments/addons");
        let (mut addons, draft) = Self::merged(&directory, parent, &passed)?;
        let mut arguments = addons.stack.parameters.iter();
        let refers = |(_, it): &(&String, &Text)| !matches!(it.expression, Expression::Literal(_));
        match (arguments.find(refers), &addons.arguments_file) {
            (Some((name, text)), Some(file)) => {
                let what = format!(
                    "Parameters.{name}: what the template of an environment has is not supported \
                     by the local account"
                );
                Err(Mistake::at(file, text.location, what))
            }
            _ => addons.apply(draft).map(|()| addons),
        }
    }

    /// Merges the files of `directory` for a stack that is nested in `parent`, and passes their
    /// parameters.
    fn merged(
        directory: &Path,
        parent: String,
        passed: &Passed<'_>,
    ) -> Result<(Self, Draft), Mistake> {
        let (name, parent) = (format!("{parent}-AddonsStack"), Some(parent));
        let stack = Stack { name, parent, ..Stack::default() };
        let mut addons = Self { stack, arguments_file: None };
        let mut draft = Draft::default();
        if !directory.exists() {
            return Ok((addons, draft));
        }
        let mut arguments = BTreeMap::new();
        for (name, file) in entries(directory)? {
            match name.rsplit_once('.') {
                Some(("addons.parameters", "yml" | "yaml")) => {
                    if addons.arguments_file.is_some() {
                        return Err(Mistake::of(&file, "Copilot accepts only one such file"));
                    }
                    arguments = yaml::read::<Arguments>(&file)?.parameters;
                    addons.arguments_file = Some(file);
                }
                Some((_, "yml" | "yaml")) => draft.add(yaml::read(&file)?, &file)?,
                _ => {}
            }
        }
        let mut parameters = std::mem::take(&mut draft.parameters);
        if !draft.resources.is_empty() {
            check_passed(passed, directory, &parameters)?;
        }
        addons.pass_names(passed, &arguments, &mut parameters)?;
        addons.pass_arguments(arguments, &mut parameters)?;
        addons.pass_defaults(parameters)?;
        Ok((addons, draft))
    }

    /// The outputs that become variables of the service: all except managed policies, which
    /// Copilot attaches to the role of its task.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Declared<Output>)> {
        let outputs = self.stack.outputs.iter().filter(|(_, output)| !self.is_policy(output));
        outputs.map(|(name, output)| (name.as_str(), output))
    }

    /// The outputs that are managed policies.
    pub fn policy_outputs(&self) -> impl Iterator<Item = &str> {
        let outputs = self.stack.outputs.iter().filter(|(_, output)| self.is_policy(output));
        outputs.map(|(name, _)| name.as_str())
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

    /// Passes the parameters that Copilot passes to all addons.
    fn pass_names(
        &mut self,
        passed: &Passed<'_>,
        arguments: &BTreeMap<String, Text>,
        parameters: &mut Parameters,
    ) -> Result<(), Mistake> {
        for (name, value) in passed {
            parameters.remove(*name);
            if let (Some(file), Some(text)) = (&self.arguments_file, arguments.get(*name)) {
                let what = format!("Parameters.{name}: Copilot passes it itself");
                return Err(Mistake::at(file, text.location, what));
            }
            self.stack.parameters.insert((*name).to_owned(), literal((*value).to_owned()));
        }
        Ok(())
    }

    /// Takes over what applies with the parameters.
    fn apply(&mut self, draft: Draft) -> Result<(), Mistake> {
        let declared = draft.conditions.iter().map(|(name, it)| (name.clone(), it.value.clone()));
        let conditions = Conditions::of(&declared.collect(), &self.stack.parameters);
        let conditions = conditions.map_err(|wrong| {
            let file = draft.conditions.values().find(|it| it.value.location == wrong.0);
            let file = file.or(draft.conditions.values().next()).map(|it| it.file.clone());
            Mistake::from_wrong(&file.unwrap_or_default(), wrong)
        })?;
        for (id, Declared { value, file, location }) in draft.resources {
            let applied = resource(&conditions, value).map_err(|(place, what)| {
                Mistake::at(&file, place, format!("Resources.{id}: {what}"))
            })?;
            let declared = applied.map(|value| Declared { value, file, location });
            self.stack.resources.extend(declared.map(|it| (id, it)));
        }
        check_references(&self.stack)?;
        for (name, Declared { mut value, file, location }) in draft.outputs {
            let in_file =
                |(place, what): Wrong| Mistake::at(&file, place, format!("Outputs.{name}: {what}"));
            if applies(&conditions, value.condition.as_ref()).map_err(in_file)? {
                value.value = conditions.applied_to_text(value.value).map_err(in_file)?;
                self.stack.outputs.insert(name, Declared { value, file, location });
            }
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

fn literal(text: String) -> Text {
    Text::made(Expression::Literal(text))
}
