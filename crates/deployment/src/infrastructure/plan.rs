//! The files `stacks` and `environments/NAME`: which stacks there are, and their parameters.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::{cloudformation::expression::Text, mistake::Mistake};

/// The file with the list of stacks.
pub const STACKS: &str = "stacks";
/// The parameter with the name of the application, which the names of stacks begin with.
pub const APPLICATION: &str = "Application";
/// The parameter with the name of the environment.
pub const ENVIRONMENT: &str = "Environment";

/// The stacks of an environment.
#[derive(Debug)]
pub struct Plan {
    /// The name of the application.
    pub application: String,
    /// The name of the environment.
    pub environment: String,
    /// The stacks, in the order in which they are deployed.
    pub stacks: Vec<Planned>,
    /// The parameters of the environment.
    pub parameters: Vec<Argument>,
}

/// A stack to deploy.
#[derive(Debug)]
pub struct Planned {
    /// Its name in the file `stacks`.
    pub name: String,
    /// Its name in the account.
    pub full_name: String,
    /// The file of its template.
    pub template: PathBuf,
    /// Its parameters.
    pub parameters: Vec<Argument>,
}

/// The value of a parameter, and where it is.
#[derive(Clone, Debug)]
pub struct Argument {
    /// The stack that it is for, if it is for one alone.
    pub stack: Option<String>,
    /// The name of the parameter.
    pub name: String,
    /// The value.
    pub value: String,
    place: Place,
}

impl Argument {
    /// A mistake in this argument.
    pub fn mistake(&self, what: impl Into<String>) -> Mistake {
        let (file, line, column) = self.place.clone();
        Mistake { file, line, column, what: format!("{}: {}", self.name, what.into()) }
    }
}

/// A file, a line and a column.
type Place = (PathBuf, u64, u64);

/// The words of a file with their places, line by line, without comments.
fn lines(file: &Path) -> Result<Vec<Vec<(String, Place)>>, Mistake> {
    let text = fs::read_to_string(file)
        .map_err(|error| Mistake::of(file, format!("cannot be read: {error}")))?;
    let lines = text.lines().zip(1..).map(|(line, number)| {
        let line = line.split('#').next().unwrap_or_default();
        let words = line.split_whitespace().map(|word| {
            let column = word.as_ptr().addr() - line.as_ptr().addr() + 1;
            (word.to_owned(), (file.to_owned(), number, u64::try_from(column).unwrap_or(1)))
        });
        words.collect::<Vec<_>>()
    });
    Ok(lines.filter(|words| !words.is_empty()).collect())
}

/// `Name=value`, or `stack.Name=value`.
fn argument((word, place): (String, Place)) -> Result<Argument, Mistake> {
    let Some((name, value)) = word.split_once('=') else {
        let (file, line, column) = place;
        let what = format!("{word:?} should be a parameter and its value, such as MaxTasks=4");
        return Err(Mistake { file, line, column, what });
    };
    let (stack, name) = match name.split_once('.') {
        Some((stack, name)) => (Some(stack.to_owned()), name),
        None => (None, name),
    };
    Ok(Argument { stack, name: name.to_owned(), value: value.to_owned(), place })
}

impl Plan {
    /// Reads the two files.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`] in them.
    pub fn read(directory: &Path, environment: &str) -> Result<Self, Mistake> {
        let file = directory.join("environments").join(environment);
        if !file.is_file() {
            let directory = directory.join("environments");
            return Err(Mistake::of(
                &directory,
                format!("there is no environment {environment:?}"),
            ));
        }
        let words = lines(&file)?.into_iter().flatten();
        let parameters = words.map(argument).collect::<Result<Vec<_>, _>>()?;
        let named = parameters.iter().find(|it| it.name == APPLICATION);
        let application = named
            .ok_or_else(|| Mistake::of(&file, format!("{APPLICATION}: it is missing")))?
            .value
            .clone();
        let prefix = format!("{application}-{environment}");
        let file = directory.join(STACKS);
        let mut stacks = Vec::<Planned>::new();
        for words in lines(&file)? {
            let planned = planned(directory, &prefix, words)?;
            if stacks.iter().any(|it| it.name == planned.name) {
                return Err(Mistake::of(&file, format!("{} is listed twice", planned.name)));
            }
            stacks.push(planned);
        }
        Ok(Self { application, environment: environment.to_owned(), stacks, parameters })
    }

    /// The value of the parameter `name` of a stack: its own, or else that of the environment.
    pub fn argument<'a>(&'a self, planned: &'a Planned, name: &str) -> Option<&'a Argument> {
        let of_environment = || {
            let own = self.parameters.iter().rev().filter(|it| it.name == name);
            let for_all = own.clone().filter(|it| it.stack.is_none());
            own.filter(|it| it.stack.as_ref() == Some(&planned.name)).chain(for_all).next()
        };
        planned.parameters.iter().find(|it| it.name == name).or_else(of_environment)
    }

    /// Every parameter of the environment has to be one of a stack, given as stack and name.
    ///
    /// # Errors
    ///
    /// The first that none of them has.
    pub fn check_parameters(&self, known: &BTreeSet<(String, String)>) -> Result<(), Mistake> {
        for argument in &self.parameters {
            let is_it = |(stack, name): &(String, String)| {
                *name == argument.name && argument.stack.as_ref().is_none_or(|it| it == stack)
            };
            if !known.iter().any(is_it) {
                let of = argument.stack.as_deref().map_or("no stack", |_| "this stack does not");
                return Err(argument.mistake(match argument.stack {
                    Some(_) => format!("{of} have such a parameter, or there is no such stack"),
                    None => format!("{of} has such a parameter"),
                }));
            }
        }
        Ok(())
    }
}

fn planned(
    directory: &Path,
    prefix: &str,
    words: Vec<(String, Place)>,
) -> Result<Planned, Mistake> {
    let mut words = words.into_iter();
    let (Some((name, _)), Some((template, (file, line, column)))) = (words.next(), words.next())
    else {
        let file = directory.join(STACKS);
        return Err(Mistake::of(&file, "a line has the name of a stack and its template"));
    };
    let path = directory.join(&template);
    if !path.is_file() {
        let what = format!("there is no template {template}");
        return Err(Mistake { file, line, column, what });
    }
    let full_name = format!("{prefix}-{name}");
    let parameters = words.map(argument).collect::<Result<Vec<_>, _>>()?;
    Ok(Planned { name, full_name, template: path, parameters })
}

/// Parameters by name.
pub type Parameters = BTreeMap<String, Text>;
