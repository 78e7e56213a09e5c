//! Queues, topics, and the subscriptions and policies that connect them.

use serde::Deserialize;

use crate::{
    cloudformation::{
        expression::{Expression, Text, Value},
        filter_policy::FilterPolicy,
    },
    within::Within,
};

/// `AWS::SQS::Queue`. A setting that is not given has the default of SQS.
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
    /// Where messages go that failed every attempt.
    pub redrive_policy: Option<RedrivePolicy>,
    #[serde(rename = "SqsManagedSseEnabled")]
    _encryption: Option<bool>,
    #[serde(rename = "KmsMasterKeyId")]
    _key: Option<Text>,
    #[serde(rename = "Tags")]
    _tags: Option<Value>,
}

/// Where messages go that failed every attempt.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RedrivePolicy {
    /// The dead-letter queue's ARN.
    pub dead_letter_target_arn: Text,
    /// The number of receives after which a message goes there.
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
    /// The messages to deliver; all, if there is none.
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
    /// A queue with this name and default settings.
    pub fn named(name: Text) -> Self {
        Self { queue_name: Some(name), ..Self::default() }
    }
}

impl QueuePolicy {
    /// Allows `topics`, given by ARN, to send to the queue with the logical id `queue`.
    pub fn for_topics(queue: &str, topics: Vec<Text>) -> Self {
        let name = queue.to_owned();
        let queue_arn = Expression::Attribute(name.clone(), "Arn".to_owned());
        let topics = topics.into_iter().map(Value::text).collect();
        let statement = Value::map([
            ("Effect", Value::literal("Allow")),
            ("Principal", Value::map([("Service", Value::literal("sns.amazonaws.com"))])),
            ("Action", Value::literal("sqs:SendMessage")),
            ("Resource", Value::text(Text::made(queue_arn))),
            (
                "Condition",
                Value::map([("ArnEquals", Value::map([("aws:SourceArn", Value::list(topics))]))]),
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
    /// A topic with this name and default settings.
    pub fn named(name: Text) -> Self {
        Self { topic_name: Some(name), ..Self::default() }
    }
}

impl Subscription {
    /// The delivery of a topic's messages to a queue, both given by ARN.
    pub fn of(topic_arn: Text, endpoint: Text, filter_policy: Option<FilterPolicy>) -> Self {
        Self { topic_arn, endpoint, filter_policy, _protocol: Some(Protocol::Sqs) }
    }
}
