//! What a service's addons make: all files of its `addons` directory as one template.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Mistake, entries,
    stack::{Declared, Names, Stack, literal},
    template::{Arguments, Parameter, Resource, Template},
    yaml,
};

/// Reads the addons of the service in `directory`, if it has any.
///
/// # Errors
///
/// [`Mistake`] in one of the files, or between two of them.
pub fn read(names: &Names<'_>, directory: &Path) -> Result<Stack, Mistake> {
    let mut stack = Stack { prefix: names.physical("AddonsStack-"), ..Stack::default() };
    let directory = directory.join("addons");
    if !directory.exists() {
        return Ok(stack);
    }
    let mut arguments: Option<(Arguments, PathBuf)> = None;
    let mut parameters = BTreeMap::new();
    for (name, file) in entries(&directory)? {
        match name.rsplit_once('.') {
            Some(("addons.parameters", "yml" | "yaml")) => {
                if arguments.is_some() {
                    return Err(Mistake::of(&file, "Copilot takes only one such file"));
                }
                arguments = Some((yaml::read::<Arguments>(&file)?, file));
            }
            Some((_, "yml" | "yaml")) => stack.add(yaml::read(&file)?, &file, &mut parameters)?,
            _ => {}
        }
    }
    let known = [("App", names.application), ("Env", names.environment), ("Name", names.service)];
    for (name, value) in known {
        if parameters.remove(name).is_none() && !stack.resources.is_empty() {
            let what = format!("Parameters: {name} is missing; Copilot passes it to every addon");
            return Err(Mistake::of(&directory, what));
        }
        if let Some((arguments, file)) = &arguments
            && let Some(text) = arguments.parameters.get(name)
        {
            let what = format!("Parameters.{name}: Copilot passes it by itself");
            return Err(Mistake::at(file, text.location, what));
        }
        let value = literal(value.to_owned());
        stack.parameters.insert(name.to_owned(), value);
    }
    stack.tell(arguments, parameters)?;
    Ok(stack)
}

type Parameters = BTreeMap<String, Declared<Parameter>>;

impl Stack {
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
            if let Resource::Table(table) = &it.value
                && let Some((place, what)) = table.undefined_key()
            {
                return Err(Mistake::at(file, place, what));
            }
            let declared = Declared::new(it.value, file, it.referenced);
            if let Some(other) = self.resources.insert(id.clone(), declared) {
                let what = format!("{id}: {} has it too", other.file.display());
                return Err(Mistake::at(file, it.referenced, what));
            }
        }
        for (name, output) in template.outputs {
            let place = output.value.location;
            let declared = Declared::new(output, file, place);
            if let Some(other) = self.outputs.insert(name.clone(), declared) {
                let what = format!("{name}: {} has it too", other.file.display());
                return Err(Mistake::at(file, place, what));
            }
        }
        Ok(())
    }

    /// Gives each parameter its argument, or else its default.
    fn tell(
        &mut self,
        arguments: Option<(Arguments, PathBuf)>,
        mut parameters: Parameters,
    ) -> Result<(), Mistake> {
        if let Some((arguments, file)) = arguments {
            for (name, text) in arguments.parameters {
                if parameters.remove(&name).is_none() {
                    let what = format!("Parameters.{name}: no addon has such a parameter");
                    return Err(Mistake::at(&file, text.location, what));
                }
                self.parameters.insert(name, text);
            }
            self.parameters_file = Some(file);
        }
        for (name, declared) in parameters {
            let Some(default) = declared.value.default else {
                let what = format!(
                    "Parameters.{name}: it has no Default, and addons.parameters.yml no value"
                );
                return Err(Mistake::at(&declared.file, declared.location, what));
            };
            self.parameters.insert(name, literal(default));
        }
        Ok(())
    }
}
