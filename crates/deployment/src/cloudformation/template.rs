//! A CloudFormation template. It may contain the resource types that this product uses, and no
//! others.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_saphyr::Spanned;

use super::expression::{Text, Value};
use crate::yaml::wrong;

pub mod messaging;
pub mod table;

use self::{
    messaging::{Queue, QueuePolicy, Subscription, Topic},
    table::Table,
};

/// A template.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Template {
    /// Its parameters, by name.
    #[serde(default)]
    pub parameters: BTreeMap<String, Spanned<Parameter>>,
    /// Its resources, by logical id.
    pub resources: BTreeMap<String, Spanned<Resource>>,
    /// Its outputs, by name.
    #[serde(default)]
    pub outputs: BTreeMap<String, Output>,
    #[serde(default, rename = "AWSTemplateFormatVersion")]
    _version: Option<IgnoredAny>,
    #[serde(default, rename = "Description")]
    _description: Option<IgnoredAny>,
    #[serde(default, rename = "Metadata")]
    _metadata: Option<IgnoredAny>,
}

/// A parameter of a template.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Parameter {
    /// The value if no other is passed.
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

/// An output of a template.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Output {
    /// Its value.
    pub value: Text,
    /// The name under which other stacks can import it.
    pub export: Option<Export>,
    #[serde(default, rename = "Description")]
    _description: Option<Text>,
}

/// The name under which other stacks can import an output.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Export {
    /// The name.
    pub name: Text,
}

/// A resource.
#[derive(Clone, Debug)]
pub enum Resource {
    /// A DynamoDB table.
    Table(Table),
    /// An SQS queue.
    Queue(Queue),
    /// Permissions on a queue.
    QueuePolicy(QueuePolicy),
    /// An SNS topic.
    Topic(Topic),
    /// The delivery of a topic's messages to a queue.
    Subscription(Subscription),
    /// What a role may do: a policy document.
    Policy(Value),
    /// The role of a service's tasks, by its name.
    Role(Text),
    /// An alarm. A local account has none.
    Alarm,
}

impl Output {
    /// An output that other stacks can import under `name`.
    pub fn exported(value: Text, name: Text) -> Self {
        Self { value, export: Some(Export { name }), _description: None }
    }
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

    /// `Type` decides how to read `Properties`, so it has to come first, as it usually does.
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

/// `AWS::IAM::ManagedPolicy`. Copilot attaches it to the role of the service's tasks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ManagedPolicy {
    policy_document: Value,
    #[serde(default, rename = "Description")]
    _description: Option<Text>,
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
                Resource::Policy(map.next_value::<ManagedPolicy>()?.policy_document)
            }
            Self::Alarm => {
                map.next_value::<Value>()?;
                Resource::Alarm
            }
        })
    }
}
