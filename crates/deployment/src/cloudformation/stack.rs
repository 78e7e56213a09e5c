//! A stack: resources that are created together, and the values that it exchanges with others.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_saphyr::Location;

use super::{
    expression::{Expression, Text},
    template::{Output, Resource, messaging::Queue},
};

/// Resources that are created together.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// Its name. A resource without a name of its own is called `<stack>-<logical id>`.
    pub name: String,
    /// The name of the stack that it is nested in.
    pub parent: Option<String>,
    /// The values of its parameters, as expressions of its parent.
    pub parameters: BTreeMap<String, Text>,
    /// Its resources, by logical id.
    pub resources: BTreeMap<String, Declared<Resource>>,
    /// Its outputs, by name.
    pub outputs: BTreeMap<String, Declared<Output>>,
}

/// Something that a file declares, and the place.
#[derive(Clone, Debug)]
pub struct Declared<T> {
    /// The thing.
    pub value: T,
    /// The file.
    pub file: PathBuf,
    /// The place in the file.
    pub location: Location,
}

/// A resource in a deployment: logical ids are unique within a stack only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceId {
    /// The name of its stack.
    pub stack: String,
    /// Its logical id.
    pub id: String,
}

impl Stack {
    /// The resource `id` of this stack.
    pub fn resource_id(&self, id: &str) -> ResourceId {
        ResourceId { stack: self.name.clone(), id: id.to_owned() }
    }

    /// The dead-letter queue of the queue `id`, if it is a queue of this stack.
    pub fn dead_letters(&self, id: &str) -> Option<&str> {
        match &self.resources.get(id)?.value {
            Resource::Queue(queue) => dead_letters(queue),
            _ => None,
        }
    }

    /// The first queue that is not a dead-letter queue, and its dead-letter queue, if it has one.
    pub fn queue(&self) -> Option<(&str, Option<&str>)> {
        let queues = || {
            self.resources.iter().filter_map(|(id, resource)| match &resource.value {
                Resource::Queue(queue) => Some((id.as_str(), dead_letters(queue))),
                _ => None,
            })
        };
        queues().find(|(id, _)| queues().all(|(_, dead_letters)| dead_letters != Some(id)))
    }
}

fn dead_letters(queue: &Queue) -> Option<&str> {
    match &queue.redrive_policy.as_ref()?.dead_letter_target_arn.expression {
        Expression::Attribute(id, _) => Some(id),
        _ => None,
    }
}

impl<T> Declared<T> {
    /// Something that `file` declares at `location`.
    pub fn new(value: T, file: &Path, location: Location) -> Self {
        Self { value, file: file.to_owned(), location }
    }
}
