//! An addon: a CloudFormation template, with the resources that this product uses and no other.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};

use super::{
    expression::{Expression, Text, Value},
    filter_policy::FilterPolicy,
    manifest::Within,
    yaml::wrong,
};

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
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Parameter {
    /// The value, if nobody tells another.
    pub default: Option<String>,
    #[serde(rename = "Type")]
    _type: ParameterType,
    #[serde(default, rename = "Description")]
    _description: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
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

/// `AWS::DynamoDB::Table`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Table {
    /// Its physical name.
    pub table_name: Option<Text>,
    /// The attributes that are keys.
    pub attribute_definitions: Vec<Attribute>,
    /// Its key.
    pub key_schema: Vec<Key>,
    /// Other ways to query it.
    #[serde(default)]
    pub global_secondary_indexes: Vec<Index>,
    /// When items go by themselves.
    pub time_to_live_specification: Option<TimeToLive>,
    #[serde(default, rename = "BillingMode")]
    _billing: Option<BillingMode>,
    #[serde(default, rename = "PointInTimeRecoverySpecification")]
    _recovery: Option<Value>,
    #[serde(default, rename = "SSESpecification")]
    _encryption: Option<Value>,
    #[serde(default, rename = "Tags")]
    _tags: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
enum BillingMode {
    #[serde(rename = "PAY_PER_REQUEST")]
    PayPerRequest,
}

/// An attribute that is a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Attribute {
    /// Its name.
    pub attribute_name: Spanned<String>,
    /// `S`, `N` or `B`.
    pub attribute_type: AttributeType,
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub enum AttributeType {
    /// Text.
    S,
    /// A number.
    N,
    /// Bytes.
    B,
}

/// A part of a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Key {
    /// The attribute.
    pub attribute_name: Spanned<String>,
    /// Which part it is.
    pub key_type: KeyType,
}

/// Which part of a key.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum KeyType {
    /// Items are found by it.
    Hash,
    /// Items are sorted by it.
    Range,
}

/// A global secondary index.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Index {
    /// Its name.
    pub index_name: String,
    /// Its key.
    pub key_schema: Vec<Key>,
    /// What it holds of an item.
    pub projection: Projection,
}

/// What an index holds of an item.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Projection {
    /// How much.
    pub projection_type: ProjectionType,
    /// With `INCLUDE`, which attributes.
    #[serde(default)]
    pub non_key_attributes: Vec<String>,
}

/// How much an index holds of an item.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProjectionType {
    /// All of it.
    All,
    /// Its keys.
    KeysOnly,
    /// Its keys, and some attributes.
    Include,
}

/// When items go by themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct TimeToLive {
    /// The attribute that holds the time, in seconds since 1970.
    pub attribute_name: String,
    /// Whether they do.
    pub enabled: bool,
}

/// `AWS::SQS::Queue`. What is not set is as SQS has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
pub struct Queue {
    /// Its physical name.
    pub queue_name: Option<Text>,
    /// Seconds.
    pub message_retention_period: Option<Within<60, 1_209_600>>,
    /// Seconds.
    pub visibility_timeout: Option<Within<0, 43_200>>,
    /// Seconds.
    pub delay_seconds: Option<Within<0, 900>>,
    /// Seconds.
    pub receive_message_wait_time_seconds: Option<Within<0, 20>>,
    /// Where messages go that no try could handle.
    pub redrive_policy: Option<RedrivePolicy>,
    #[serde(rename = "SqsManagedSseEnabled")]
    _encryption: Option<bool>,
    #[serde(rename = "KmsMasterKeyId")]
    _key: Option<Text>,
    #[serde(rename = "Tags")]
    _tags: Option<Value>,
}

/// Where messages go that no try could handle.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RedrivePolicy {
    /// The dead-letter queue's ARN.
    pub dead_letter_target_arn: Text,
    /// How many receives a message gets.
    pub max_receive_count: Within<1, 1000>,
}

/// `AWS::SQS::QueuePolicy`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct QueuePolicy {
    /// The URLs of the queues.
    pub queues: Vec<Text>,
    /// The policy.
    pub policy_document: Value,
}

/// `AWS::SNS::Topic`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
pub struct Topic {
    /// Its physical name.
    pub topic_name: Option<Text>,
    #[serde(rename = "KmsMasterKeyId")]
    _key: Option<Text>,
    #[serde(rename = "Tags")]
    _tags: Option<Value>,
}

/// `AWS::SNS::Subscription`, of a queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Subscription {
    /// The topic's ARN.
    pub topic_arn: Text,
    /// The queue's ARN.
    pub endpoint: Text,
    /// Which messages are wanted; without one, all are.
    pub filter_policy: Option<FilterPolicy>,
    #[serde(rename = "Protocol")]
    _protocol: Option<Protocol>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    Sqs,
}

impl Queue {
    /// A queue of which only its name is known.
    pub fn named(name: Text) -> Self {
        Self {
            queue_name: Some(name),
            ..Self::default()
        }
    }
}

impl QueuePolicy {
    /// Lets `topics`, by ARN, send to the queue with the logical id `queue`.
    pub fn for_topics(queue: &str, topics: Vec<Text>) -> Self {
        let name = queue.to_owned();
        let queue_arn = Expression::Attribute(name.clone(), "Arn".to_owned());
        let topics = topics.into_iter().map(Value::text).collect();
        let statement = Value::map([
            ("Effect", Value::literal("Allow")),
            (
                "Principal",
                Value::map([("Service", Value::literal("sns.amazonaws.com"))]),
            ),
            ("Action", Value::literal("sqs:SendMessage")),
            ("Resource", Value::text(Text::made(queue_arn))),
            (
                "Condition",
                Value::map([(
                    "ArnEquals",
                    Value::map([("aws:SourceArn", Value::list(topics))]),
                )]),
            ),
        ]);
        Self {
            queues: vec![Text::made(Expression::Ref(name))],
            policy_document: Value::map([
                ("Version", Value::literal("2012-10-17")),
                ("Statement", Value::list(vec![statement])),
            ]),
        }
    }
}

impl Topic {
    /// A topic of which only its name is known.
    pub fn named(name: Text) -> Self {
        Self {
            topic_name: Some(name),
            ..Self::default()
        }
    }
}

impl Subscription {
    /// A topic's messages for a queue, both by ARN.
    pub fn of(topic_arn: Text, endpoint: Text, filter_policy: Option<FilterPolicy>) -> Self {
        Self {
            topic_arn,
            endpoint,
            filter_policy,
            _protocol: Some(Protocol::Sqs),
        }
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

impl Table {
    /// The first key whose attribute is not defined, or attribute that is no key.
    ///
    /// AWS refuses both when a stack is deployed.
    pub fn undefined_key(&self) -> Option<(Location, String)> {
        let indexes = self.global_secondary_indexes.iter();
        let keys: Vec<&Spanned<String>> = self
            .key_schema
            .iter()
            .chain(indexes.flat_map(|index| &index.key_schema))
            .map(|key| &key.attribute_name)
            .collect();
        let defined: Vec<&Spanned<String>> = (self.attribute_definitions.iter())
            .map(|attribute| &attribute.attribute_name)
            .collect();
        let differs = |name: &Spanned<String>, others: &[&Spanned<String>]| {
            !others.iter().any(|other| other.value == name.value)
        };
        let undefined = keys.iter().find(|key| differs(key, &defined));
        let unused = defined.iter().find(|name| differs(name, &keys));
        undefined
            .map(|key| (key, "AttributeDefinitions does not define it"))
            .or(unused.map(|name| {
                (
                    name,
                    "it is no key, so AttributeDefinitions may not name it",
                )
            }))
            .map(|(name, why)| {
                (
                    name.referenced,
                    format!("AttributeName {:?}: {why}", name.value),
                )
            })
    }
}
