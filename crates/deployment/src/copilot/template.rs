//! An addon: a CloudFormation template, with the resources that this product uses and no other.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_saphyr::Spanned;

use super::{
    expression::{Text, Value},
    yaml::wrong,
};

pub mod messaging;
pub mod table;

use messaging::{Queue, QueuePolicy, Subscription, Topic};
use table::Table;

/// One file of a service's addons.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Template {
    /// What it has to be told.
    #[serde(default)]
    pub parameters: BTreeMap<String, Spanned<Parameter>>,
    /// What it makes.
    pub resources: BTreeMap<String, Spanned<Resource>>,
    /// What it tells: to its service, and with `Export` to other stacks.
    #[serde(default)]
    pub outputs: BTreeMap<String, Output>,
    #[serde(default, rename = "AWSTemplateFormatVersion")]
    _version: Option<IgnoredAny>,
    #[serde(default, rename = "Description")]
    _description: Option<IgnoredAny>,
    #[serde(default, rename = "Metadata")]
    _metadata: Option<IgnoredAny>,
}

/// What a template has to be told.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Parameter {
    /// The value, if nobody tells another.
    pub default: Option<String>,
    #[serde(rename = "Type")]
    _type: ParameterType,
    #[serde(default, rename = "Description")]
    _description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
enum ParameterType {
    String,
    Number,
}

/// What a template tells.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Output {
    /// What it tells.
    pub value: Text,
    /// Under which name other stacks may import it.
    pub export: Option<Export>,
    #[serde(default, rename = "Description")]
    _description: Option<Text>,
}

/// Under which name other stacks may import an output.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Export {
    /// The name.
    pub name: Text,
}

/// What `addons.parameters.yml` says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Arguments {
    /// For each parameter, a value of the service's own stack.
    pub parameters: BTreeMap<String, Text>,
}

/// Something to be made.
#[derive(Clone, Debug)]
pub enum Resource {
    /// A DynamoDB table.
    Table(Table),
    /// An SQS queue.
    Queue(Queue),
    /// Who may do what with a queue.
    QueuePolicy(QueuePolicy),
    /// An SNS topic.
    Topic(Topic),
    /// A topic's messages for a queue.
    Subscription(Subscription),
    /// Who may do what: nothing asks on a laptop.
    ManagedPolicy,
    /// When to wake somebody: nobody is woken by a laptop.
    Alarm,
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ResourceVisitor)
    }
}

struct ResourceVisitor;

impl<'de> Visitor<'de> for ResourceVisitor {
    type Value = Resource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a resource with Type and Properties")
    }

    /// `Type` says how to read `Properties`, so it has to come first, as it does by custom.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Resource, A::Error> {
        let mut kind = None;
        let mut resource = None;
        while let Some(key) = map.next_key::<ResourceKey>()? {
            match key {
                ResourceKey::Type => kind = Some(map.next_value::<ResourceType>()?),
                ResourceKey::Properties => {
                    let kind = kind.ok_or_else(|| wrong("Type should come before Properties"))?;
                    resource = Some(kind.properties(&mut map)?);
                }
                ResourceKey::Metadata
                | ResourceKey::DeletionPolicy
                | ResourceKey::UpdateReplacePolicy
                | ResourceKey::DependsOn => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match (resource, kind) {
            (Some(resource), _) => Ok(resource),
            (None, Some(ResourceType::Queue)) => Ok(Resource::Queue(Queue::default())),
            (None, Some(ResourceType::Topic)) => Ok(Resource::Topic(Topic::default())),
            (None, Some(_)) => Err(wrong("the resource has no Properties")),
            (None, None) => Err(wrong("the resource has no Type")),
        }
    }
}

#[derive(Deserialize)]
enum ResourceKey {
    Type,
    Properties,
    Metadata,
    DeletionPolicy,
    UpdateReplacePolicy,
    DependsOn,
}

#[derive(Clone, Copy, Deserialize)]
enum ResourceType {
    #[serde(rename = "AWS::DynamoDB::Table")]
    Table,
    #[serde(rename = "AWS::SQS::Queue")]
    Queue,
    #[serde(rename = "AWS::SQS::QueuePolicy")]
    QueuePolicy,
    #[serde(rename = "AWS::SNS::Topic")]
    Topic,
    #[serde(rename = "AWS::SNS::Subscription")]
    Subscription,
    #[serde(rename = "AWS::IAM::ManagedPolicy")]
    ManagedPolicy,
    #[serde(rename = "AWS::CloudWatch::Alarm")]
    Alarm,
}

impl ResourceType {
    fn properties<'de, A: MapAccess<'de>>(self, map: &mut A) -> Result<Resource, A::Error> {
        Ok(match self {
            Self::Table => Resource::Table(map.next_value()?),
            Self::Queue => Resource::Queue(map.next_value()?),
            Self::QueuePolicy => Resource::QueuePolicy(map.next_value()?),
            Self::Topic => Resource::Topic(map.next_value()?),
            Self::Subscription => Resource::Subscription(map.next_value()?),
            Self::ManagedPolicy => {
                map.next_value::<Value>()?;
                Resource::ManagedPolicy
            }
            Self::Alarm => {
                map.next_value::<Value>()?;
                Resource::Alarm
            }
        })
    }
}
