//! A CloudFormation template. It may contain the resource types that this product uses, and no
//! others.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_saphyr::Spanned;

use super::expression::{Expression, Text, Value};
use crate::yaml::{Scalar, wrong};

mod kinds;

pub mod bucket;
pub mod messaging;
pub mod table;

use self::{
    bucket::{Bucket, BucketPolicy},
    kinds::ResourceType,
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
    /// Which of its parts apply, by name.
    #[serde(default)]
    pub conditions: BTreeMap<String, Value>,
    /// Its resources, by logical id.
    pub resources: BTreeMap<String, Spanned<Conditional>>,
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
    pub default: Option<Scalar>,
    /// The values that may be passed; any, if there is none.
    #[serde(default)]
    pub allowed_values: Vec<Scalar>,
    /// The least number that may be passed.
    pub min_value: Option<i64>,
    /// The greatest number that may be passed.
    pub max_value: Option<i64>,
    #[serde(rename = "Type")]
    _type: ParameterType,
    #[serde(default, rename = "Description")]
    _description: Option<String>,
    #[serde(default, rename = "AllowedPattern")]
    _allowed_pattern: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
enum ParameterType {
    String,
    Number,
    #[serde(rename = "AWS::EC2::VPC::Id")]
    Vpc,
    #[serde(rename = "List<AWS::EC2::Subnet::Id>")]
    Subnets,
}

/// An output of a template.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Output {
    /// Its value.
    pub value: Text,
    /// The name under which other stacks can import it.
    pub export: Option<Export>,
    /// The name of the condition on which it exists.
    pub condition: Option<Spanned<String>>,
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

/// A resource, and the condition on which it exists.
#[derive(Clone, Debug)]
pub struct Conditional {
    /// The name of the condition; the resource always exists if there is none.
    pub condition: Option<Spanned<String>>,
    /// The resource.
    pub resource: Resource,
}

/// A resource.
#[derive(Clone, Debug)]
pub enum Resource {
    /// A DynamoDB table.
    Table(Table),
    /// An S3 bucket.
    Bucket(Bucket),
    /// Permissions on a bucket.
    BucketPolicy(BucketPolicy),
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
    /// The role of a service's tasks.
    Role {
        /// Its name.
        name: Text,
        /// The ARNs of its managed policies.
        managed_policies: Vec<Expression>,
    },
    /// An alarm, with its properties. A local account has none.
    Alarm(Value),
    /// A resource that a local account does not need: its type and its properties.
    Other(String, Value),
}

impl Output {
    /// An output that other stacks can import under `name`.
    pub fn exported(value: Text, name: Text) -> Self {
        Self { value, export: Some(Export { name }), condition: None, _description: None }
    }
}

impl<'de> Deserialize<'de> for Conditional {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ResourceVisitor)
    }
}

struct ResourceVisitor;

impl<'de> Visitor<'de> for ResourceVisitor {
    type Value = Conditional;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a resource with Type and Properties")
    }

    /// `Type` decides how to read `Properties`, so it has to come first, as it usually does.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Conditional, A::Error> {
        let mut kind = None;
        let mut resource = None;
        let mut condition = None;
        while let Some(key) = map.next_key::<ResourceKey>()? {
            match key {
                ResourceKey::Type => kind = Some(map.next_value::<ResourceType>()?),
                ResourceKey::Properties => {
                    let kind: &ResourceType =
                        kind.as_ref().ok_or_else(|| wrong("Type should come before Properties"))?;
                    resource = Some(properties(kind, &mut map)?);
                }
                ResourceKey::Condition => condition = Some(map.next_value()?),
                ResourceKey::Metadata
                | ResourceKey::DeletionPolicy
                | ResourceKey::UpdateReplacePolicy
                | ResourceKey::DependsOn => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let resource = match (resource, kind) {
            (Some(resource), _) => resource,
            (None, Some(ResourceType::Queue)) => Resource::Queue(Queue::default()),
            (None, Some(ResourceType::Bucket)) => Resource::Bucket(Bucket::default()),
            (None, Some(ResourceType::Topic)) => Resource::Topic(Topic::default()),
            (None, Some(ResourceType::Other(kind))) => Resource::Other(kind, Value::map([])),
            (None, Some(_)) => return Err(wrong("the resource has no Properties")),
            (None, None) => return Err(wrong("the resource has no Type")),
        };
        Ok(Conditional { condition, resource })
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
    Condition,
    Type,
    Properties,
    Metadata,
    DeletionPolicy,
    UpdateReplacePolicy,
    DependsOn,
}

/// The resource of type `kind` whose properties come next.
fn properties<'de, A: MapAccess<'de>>(
    kind: &ResourceType,
    map: &mut A,
) -> Result<Resource, A::Error> {
    Ok(match kind {
        ResourceType::Table => Resource::Table(map.next_value()?),
        ResourceType::Bucket => Resource::Bucket(map.next_value()?),
        ResourceType::BucketPolicy => Resource::BucketPolicy(map.next_value()?),
        ResourceType::Queue => Resource::Queue(map.next_value()?),
        ResourceType::QueuePolicy => Resource::QueuePolicy(map.next_value()?),
        ResourceType::Topic => Resource::Topic(map.next_value()?),
        ResourceType::Subscription => Resource::Subscription(map.next_value()?),
        ResourceType::ManagedPolicy => {
            Resource::Policy(map.next_value::<ManagedPolicy>()?.policy_document)
        }
        ResourceType::Alarm => Resource::Alarm(map.next_value()?),
        ResourceType::Other(kind) => Resource::Other(kind.clone(), map.next_value()?),
    })
}
