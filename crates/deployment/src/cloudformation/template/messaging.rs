//! Queues, topics, and the subscriptions and policies that connect them.

use serde::Deserialize;

use crate::{
    cloudformation::{
        expression::{Text, Value},
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
    /// Whether it keeps the order of messages within a group.
    pub fifo_queue: Option<bool>,
    /// Whether messages with the same text are duplicates.
    pub content_based_deduplication: Option<bool>,
    /// Among which messages duplicates are dropped.
    pub deduplication_scope: Option<DeduplicationScope>,
    /// What the limit of its throughput applies to.
    pub fifo_throughput_limit: Option<ThroughputLimit>,
    /// Whether SQS encrypts with a key of its own.
    pub sqs_managed_sse_enabled: Option<bool>,
    /// The key of KMS to encrypt with.
    pub kms_master_key_id: Option<Text>,
    #[serde(rename = "Tags")]
    _tags: Option<Value>,
}

/// Among which messages of a FIFO queue duplicates are dropped.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum DeduplicationScope {
    /// Those of a group.
    MessageGroup,
    /// All.
    Queue,
}

/// What the limit of a FIFO queue's throughput applies to.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum ThroughputLimit {
    /// The whole queue.
    PerQueue,
    /// Each group.
    PerMessageGroupId,
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
    /// Whether it keeps the order of messages within a group.
    pub fifo_topic: Option<bool>,
    /// Whether messages with the same text are duplicates.
    pub content_based_deduplication: Option<bool>,
    /// The key of KMS to encrypt with.
    pub kms_master_key_id: Option<Text>,
    #[serde(rename = "DisplayName")]
    _display_name: Option<Text>,
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
    /// What kind of endpoint it is.
    pub protocol: Protocol,
    /// Where messages go that the queue refuses. The local account delivers each message or says
    /// why not, so nothing goes there.
    pub redrive_policy: Option<Undelivered>,
}

/// Where messages go that a subscribed queue refuses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Undelivered {
    /// The ARN of a queue.
    pub dead_letter_target_arn: Text,
}

/// What kind of endpoint a subscription has.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A queue.
    #[default]
    Sqs,
    /// A person, whom the local account does not reach.
    Email,
}

impl Queue {
    /// A queue with this name and default settings.
    pub fn named(name: Text) -> Self {
        Self { queue_name: Some(name), ..Self::default() }
    }
}

impl DeduplicationScope {
    /// The value of the attribute `DeduplicationScope`.
    pub fn text(self) -> &'static str {
        match self {
            Self::MessageGroup => "messageGroup",
            Self::Queue => "queue",
        }
    }
}

impl ThroughputLimit {
    /// The value of the attribute `FifoThroughputLimit`.
    pub fn text(self) -> &'static str {
        match self {
            Self::PerQueue => "perQueue",
            Self::PerMessageGroupId => "perMessageGroupId",
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
        let protocol = Protocol::Sqs;
        Self { topic_arn, endpoint, filter_policy, protocol, redrive_policy: None }
    }
}
