//! The types of resources that a template may have.

use serde::Deserialize;

/// A type of resource.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum ResourceType {
    /// A DynamoDB table.
    Table,
    /// An S3 bucket.
    Bucket,
    /// Permissions on a bucket.
    BucketPolicy,
    /// An SQS queue.
    Queue,
    /// Permissions on a queue.
    QueuePolicy,
    /// An SNS topic.
    Topic,
    /// The delivery of a topic's messages.
    Subscription,
    /// What a role may do.
    ManagedPolicy,
    /// An alarm.
    Alarm,
    /// One that a local account does not need, by its name.
    Other(String),
}

/// What a local account is made of.
const TYPES: [(&str, ResourceType); 9] = [
    ("AWS::DynamoDB::Table", ResourceType::Table),
    ("AWS::S3::Bucket", ResourceType::Bucket),
    ("AWS::S3::BucketPolicy", ResourceType::BucketPolicy),
    ("AWS::SQS::Queue", ResourceType::Queue),
    ("AWS::SQS::QueuePolicy", ResourceType::QueuePolicy),
    ("AWS::SNS::Topic", ResourceType::Topic),
    ("AWS::SNS::Subscription", ResourceType::Subscription),
    ("AWS::IAM::ManagedPolicy", ResourceType::ManagedPolicy),
    ("AWS::CloudWatch::Alarm", ResourceType::Alarm),
];

/// What a local account does not need: the network, tasks, and how they run.
const OTHERS: [&str; 10] = [
    "AWS::ApplicationAutoScaling::",
    "AWS::CloudFormation::WaitConditionHandle",
    "AWS::CloudWatch::Dashboard",
    "AWS::EC2::",
    "AWS::ECR::",
    "AWS::ECS::",
    "AWS::ElasticLoadBalancingV2::",
    "AWS::IAM::Role",
    "AWS::Logs::",
    "AWS::SecretsManager::Secret",
];

impl TryFrom<String> for ResourceType {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if let Some((_, known)) = TYPES.iter().find(|(known, _)| *known == name) {
            return Ok(known.clone());
        }
        if OTHERS.iter().any(|other| name.starts_with(other)) {
            return Ok(Self::Other(name));
        }
        let known = TYPES.map(|(known, _)| known).join(", ");
        Err(format!(
            "{name} is not supported by the local account; it has {known}, and passes over {}",
            OTHERS.join(", ")
        ))
    }
}
