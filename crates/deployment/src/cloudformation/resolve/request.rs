//! The request to AWS that creates a resource.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::known::{Known, Unknown};
use crate::{
    cloudformation::{
        expression::{Expression, Text, Value},
        filter_policy::FilterPolicy,
        policy,
        stack::{Declared, ResourceId},
        template::{
            Resource,
            messaging::{DeduplicationScope, Protocol, Queue, ThroughputLimit},
            table::Table,
        },
    },
    mistake::Mistake,
};

/// The longest name of a bucket.
const BUCKET_NAME_LENGTH: usize = 63;
/// The parts of an ARN, between colons.
const ARN_PARTS: usize = 6;

/// A request to AWS, with every reference in it resolved.
#[derive(Clone, Debug)]
pub enum Request<'a> {
    /// A table with this name.
    Table(String, &'a Table),
    /// A bucket with this name.
    Bucket(String),
    /// A policy for the bucket with this name.
    BucketPolicy(String, String),
    /// A queue with this name and these attributes.
    Queue(String, BTreeMap<&'static str, String>),
    /// A policy for the queues with these URLs.
    QueuePolicy(Vec<String>, String),
    /// A topic with this name and these attributes.
    Topic(String, BTreeMap<&'static str, String>),
    /// A subscription.
    Subscription {
        /// The topic's ARN.
        topic: String,
        /// The queue's ARN.
        queue: String,
        /// The filter policy as JSON.
        filter: Option<String>,
        /// The ARN of the queue for what `queue` refuses.
        undelivered: Option<String>,
    },
    /// What a role may do, as JSON.
    Policy(Json),
    /// A role with this name and ARN.
    Role(String, String),
    /// No request: a local account does not need the resource.
    Nothing,
}

impl<'a> Request<'a> {
    /// The request that creates `resource`; `None` if a resource that it refers to does not exist
    /// yet.
    ///
    /// # Errors
    ///
    /// [`Mistake`] if one of its texts can never be computed.
    pub fn of(
        id: &ResourceId,
        resource: &'a Declared<Resource>,
        known: &Known<'_>,
    ) -> Result<Option<Self>, Mistake> {
        match (Reader { known, id }).request(&resource.value) {
            Ok(request) => Ok(Some(request)),
            Err((Unknown::Yet, _)) => Ok(None),
            Err((Unknown::Ever(why), text)) => {
                let what = format!("{}: {why}", id.id);
                Err(Mistake::at(&resource.file, text.location, what))
            }
        }
    }
}

/// The attributes that have a value.
fn set<T: ToString>(attributes: [(&'static str, Option<T>); 2]) -> BTreeMap<&'static str, String> {
    let set = attributes.into_iter();
    set.filter_map(|(name, value)| Some((name, value?.to_string()))).collect()
}

/// Reads the texts of one resource.
struct Reader<'a> {
    known: &'a Known<'a>,
    id: &'a ResourceId,
}

type Read<T> = Result<T, (Unknown, Text)>;

impl Reader<'_> {
    fn request<'r>(&self, resource: &'r Resource) -> Read<Request<'r>> {
        Ok(match resource {
            Resource::Table(table) => {
                Request::Table(self.name(table.table_name.as_ref(), None)?, table)
            }
            Resource::Bucket(bucket) => {
                Request::Bucket(self.bucket_name(bucket.bucket_name.as_ref())?)
            }
            Resource::BucketPolicy(policy) => Request::BucketPolicy(
                self.text(&policy.bucket)?,
                self.policy(&policy.policy_document)?.to_string(),
            ),
            Resource::Queue(queue) => {
                let name = self.name(queue.queue_name.as_ref(), queue.fifo_queue)?;
                Request::Queue(name, self.attributes(queue)?)
            }
            Resource::QueuePolicy(policy) => {
                let urls = self.texts(&policy.queues)?;
                Request::QueuePolicy(urls, self.policy(&policy.policy_document)?.to_string())
            }
            Resource::Topic(topic) => {
                let name = self.name(topic.topic_name.as_ref(), topic.fifo_topic)?;
                let attributes = [
                    ("FifoTopic", topic.fifo_topic),
                    ("ContentBasedDeduplication", topic.content_based_deduplication),
                ];
                Request::Topic(name, set(attributes))
            }
            Resource::Subscription(it) if it.protocol == Protocol::Email => Request::Nothing,
            Resource::Subscription(it) => Request::Subscription {
                topic: self.text(&it.topic_arn)?,
                queue: self.text(&it.endpoint)?,
                filter: it.filter_policy.as_ref().map(FilterPolicy::to_json),
                undelivered: (it.redrive_policy.as_ref())
                    .map(|redrive| self.text(&redrive.dead_letter_target_arn))
                    .transpose()?,
            },
            Resource::Policy(document) => Request::Policy(self.policy(document)?),
            Resource::Role { name, .. } => {
                let [partition, account] = ["Partition", "AccountId"]
                    .map(|it| self.text(&Text::made(Expression::Ref(format!("AWS::{it}")))));
                let name = self.text(name)?;
                let arn = format!("arn:{}:iam::{}:role/{name}", partition?, account?);
                Request::Role(name, arn)
            }
            Resource::Alarm(_) | Resource::Other(..) => Request::Nothing,
        })
    }

    /// A policy document. AWS rejects it if a resource is not given by its ARN.
    fn policy(&self, document: &Value) -> Read<Json> {
        for text in policy::resources(document) {
            let resource = self.text(text)?;
            if resource != "*" && resource.split(':').count() < ARN_PARTS {
                let why = format!("the resource {resource:?} should be * or an ARN");
                return Err((Unknown::Ever(why), text.clone()));
            }
        }
        self.known.json(&self.id.stack, document)
    }

    fn text(&self, text: &Text) -> Read<String> {
        (self.known.evaluate(&self.id.stack, &text.expression)).map_err(|why| (why, text.clone()))
    }

    fn texts(&self, texts: &[Text]) -> Read<Vec<String>> {
        texts.iter().map(|text| self.text(text)).collect()
    }

    /// The resource's own name, or else one made of its stack and logical id. AWS demands a suffix
    /// of those that keep an order.
    fn name(&self, text: Option<&Text>, fifo: Option<bool>) -> Read<String> {
        let suffix = if fifo == Some(true) { ".fifo" } else { "" };
        match text {
            Some(text) => self.text(text),
            None => Ok(format!("{}-{}{suffix}", self.id.stack, self.id.id)),
        }
    }

    /// The bucket's own name, or else a short one in lower case, as CloudFormation makes it.
    fn bucket_name(&self, text: Option<&Text>) -> Read<String> {
        let name = self.name(text, None)?;
        if let Some(text) = text {
            let is_name = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
            let fits = (3..=BUCKET_NAME_LENGTH).contains(&name.len());
            if !fits || !name.chars().all(|it| is_name(it) || it == '.') {
                let why = format!(
                    "the bucket's name {name:?} should have 3 to {BUCKET_NAME_LENGTH} lower-case \
                     letters, digits and hyphens"
                );
                return Err((Unknown::Ever(why), text.clone()));
            }
            return Ok(name);
        }
        let name = name.to_lowercase();
        // What tells it from others is at its end.
        let start = name.len().saturating_sub(BUCKET_NAME_LENGTH);
        Ok(name.get(start..).unwrap_or(&name).trim_start_matches('-').to_owned())
    }

    fn attributes(&self, queue: &Queue) -> Read<BTreeMap<&'static str, String>> {
        let seconds = [
            ("MessageRetentionPeriod", queue.message_retention_period.map(|it| it.0)),
            ("VisibilityTimeout", queue.visibility_timeout.map(|it| it.0)),
            ("DelaySeconds", queue.delay_seconds.map(|it| it.0)),
            (
                "ReceiveMessageWaitTimeSeconds",
                queue.receive_message_wait_time_seconds.map(|it| it.0),
            ),
        ];
        let mut attributes: BTreeMap<_, _> = (seconds.into_iter())
            .filter_map(|(name, value)| Some((name, value?.to_string())))
            .collect();
        attributes.extend(set([
            ("FifoQueue", queue.fifo_queue),
            ("ContentBasedDeduplication", queue.content_based_deduplication),
        ]));
        let (scope, limit) = (queue.deduplication_scope, queue.fifo_throughput_limit);
        let texts = [
            ("DeduplicationScope", scope.map(DeduplicationScope::text)),
            ("FifoThroughputLimit", limit.map(ThroughputLimit::text)),
        ];
        attributes.extend(set(texts));
        if let Some(policy) = &queue.redrive_policy {
            let policy = json!({
                "deadLetterTargetArn": self.text(&policy.dead_letter_target_arn)?,
                "maxReceiveCount": policy.max_receive_count.0,
            });
            attributes.insert("RedrivePolicy", policy.to_string());
        }
        Ok(attributes)
    }
}
