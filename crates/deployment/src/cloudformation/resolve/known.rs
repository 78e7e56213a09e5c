//! The values that are known so far, and the texts that follow from them.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use thiserror::Error;

use super::made::Made;
use crate::cloudformation::{
    expression::{Call, Data, Expression, Text, Value},
    stack::{ResourceId, Stack},
    template::Resource,
};

/// The resources that exist so far.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    stacks: &'a [Stack],
    made: BTreeMap<ResourceId, Made>,
}

/// Why a text cannot be computed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Unknown {
    /// A resource that it refers to does not exist yet.
    #[error("it refers to a resource that does not exist yet")]
    Yet,
    /// It can never be computed, for this reason.
    #[error("{0}")]
    Ever(String),
}

impl<'a> Known<'a> {
    /// None of the resources of `stacks` exists.
    pub fn nothing(stacks: &'a [Stack]) -> Self {
        Self { stacks, made: BTreeMap::new() }
    }

    /// Records that a resource exists.
    pub fn insert(&mut self, id: ResourceId, made: Made) {
        self.made.insert(id, made);
    }

    /// The values of a resource that exists.
    pub fn get(&self, id: &ResourceId) -> Option<&Made> {
        self.made.get(id)
    }

    /// The resource that `reference`, such as an ARN, stands for.
    pub fn find(&self, reference: &str) -> Option<&ResourceId> {
        let is_it = |made: &Made| {
            made.reference == reference
                || made.attributes.get("Arn").is_some_and(|arn| arn == reference)
        };
        self.made.iter().find(|(_, made)| is_it(made)).map(|(id, _)| id)
    }

    /// The value of `expression` in the stack called `stack`.
    ///
    /// # Errors
    ///
    /// [`Unknown`] if it cannot be computed.
    pub fn evaluate(&self, stack: &str, expression: &Expression) -> Result<String, Unknown> {
        match expression {
            Expression::Literal(text) => Ok(text.clone()),
            Expression::Ref(name) => self.reference(self.stack(stack)?, name),
            Expression::Attribute(id, name) => self.attribute(self.stack(stack)?, id, name),
            Expression::Join(pieces) => {
                (pieces.iter()).map(|piece| self.evaluate(stack, piece)).collect()
            }
            Expression::Import(name) => self.import(&self.evaluate(stack, name)?),
            Expression::Call(call) => Err(not_here(call)),
        }
    }

    /// `value` as JSON, in the stack called `stack`.
    ///
    /// # Errors
    ///
    /// [`Unknown`] for the first text that cannot be computed.
    pub fn json(&self, stack: &str, value: &Value) -> Result<Json, (Unknown, Text)> {
        Ok(match &value.data {
            Data::Plain(plain) => plain.clone(),
            Data::Text(text) => {
                let evaluated = self.evaluate(stack, &text.expression);
                evaluated.map_err(|why| (why, text.clone()))?.into()
            }
            Data::Call(call) => {
                let expression = Expression::Call(call.clone());
                return Err((not_here(call), Text { location: value.location, expression }));
            }
            Data::List(values) => {
                let values = values.iter().map(|it| self.json(stack, it));
                Json::Array(values.collect::<Result<_, _>>()?)
            }
            Data::Map(entries) => {
                let entries =
                    entries.iter().map(|(key, it)| Ok((key.clone(), self.json(stack, it)?)));
                Json::Object(entries.collect::<Result<_, _>>()?)
            }
        })
    }

    fn stack(&self, name: &str) -> Result<&'a Stack, Unknown> {
        let mut stacks = self.stacks.iter();
        stacks
            .find(|stack| stack.name == name)
            .ok_or_else(|| Unknown::Ever(format!("there is no stack {name}")))
    }

    fn reference(&self, stack: &Stack, name: &str) -> Result<String, Unknown> {
        if let Some(pseudo) = name.strip_prefix("AWS::") {
            return self.pseudo_parameter(pseudo);
        }
        match stack.parameters.get(name) {
            Some(argument) => {
                let parent = stack.parent.as_ref().unwrap_or(&stack.name);
                self.evaluate(parent, &argument.expression)
            }
            None => self.made(stack, name).map(|made| made.reference.clone()),
        }
    }

    fn attribute(&self, stack: &Stack, id: &str, attribute: &str) -> Result<String, Unknown> {
        let made = self.made(stack, id)?;
        if let Resource::Other(kind, _) = &stack.resources[id].value
            && attribute == "Arn"
        {
            return self.other_arn(kind, &stack.name, id);
        }
        made.attributes.get(attribute).cloned().ok_or_else(|| {
            Unknown::Ever(format!("the attribute {attribute} of {id} is not supported here"))
        })
    }

    /// The ARN of a resource that a local account does not have, for the policies that name it.
    fn other_arn(&self, kind: &str, stack: &str, id: &str) -> Result<String, Unknown> {
        let [partition, region, account] =
            ["Partition", "Region", "AccountId"].map(|it| self.pseudo_parameter(it));
        let service = kind.split("::").nth(1).unwrap_or_default().to_lowercase();
        Ok(format!("arn:{}:{service}:{}:{}:{stack}-{id}", partition?, region?, account?))
    }

    fn made(&self, stack: &Stack, id: &str) -> Result<&Made, Unknown> {
        if !stack.resources.contains_key(id) {
            return Err(Unknown::Ever(format!("there is no resource or parameter {id}")));
        }
        self.get(&stack.resource_id(id)).ok_or(Unknown::Yet)
    }

    /// Partition, region and account, taken from the ARN of any resource that exists.
    fn pseudo_parameter(&self, name: &str) -> Result<String, Unknown> {
        let part = match name {
            "Partition" => 1,
            "Region" => 3,
            "AccountId" => 4,
            _ => return Err(Unknown::Ever(format!("AWS::{name} is not supported here"))),
        };
        let mut arns = self.made.values().filter_map(|made| made.attributes.get("Arn"));
        // The ARN of a bucket has neither region nor account.
        let found = arns.find_map(|arn| arn.split(':').nth(part).filter(|it| !it.is_empty()));
        found.map(str::to_owned).ok_or(Unknown::Yet)
    }

    fn import(&self, wanted: &str) -> Result<String, Unknown> {
        let mut unknown = false;
        for stack in self.stacks {
            for output in stack.outputs.values() {
                let Some(export) = &output.value.export else {
                    continue;
                };
                match self.evaluate(&stack.name, &export.name.expression) {
                    Ok(name) if name == wanted => {
                        return self.evaluate(&stack.name, &output.value.value.expression);
                    }
                    Ok(_) => {}
                    Err(_) => unknown = true,
                }
            }
        }
        Err(if unknown {
            Unknown::Yet
        } else {
            Unknown::Ever(format!("no stack exports {wanted:?}"))
        })
    }
}

/// Only CloudFormation computes it.
fn not_here(call: &Call) -> Unknown {
    Unknown::Ever(format!("!{} is not supported by the local account", call.function))
}
