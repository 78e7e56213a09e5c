//! A resource as a request to AWS.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Known, Pending, Place, Unknown};
use crate::copilot::{
    Mistake,
    expression::{Data, Text, Value},
    template::{Resource, messaging::Queue, table::Table},
};

/// A request to AWS, with every reference in it resolved.
#[derive(Clone, Debug)]
pub enum Request<'a> {
    /// A table with this name.
    Table(String, &'a Table),
    /// A queue with this name and these attributes.
    Queue(String, BTreeMap<&'static str, String>),
    /// A policy for the queues with these URLs.
    QueuePolicy(Vec<String>, String),
    /// A topic with this name.
    Topic(String),
    /// A subscription.
    Subscription {
        /// The topic's ARN.
        topic: String,
        /// The queue's ARN.
        queue: String,
        /// The filter policy as JSON.
        filter: Option<String>,
    },
    /// Nothing that a laptop needs.
    Nothing,
}

impl<'a> Known<'a> {
    /// The request that makes a resource; `None` if what it refers to does not exist yet.
    pub(super) fn request(&self, pending: &Pending<'a>) -> Result<Option<Request<'a>>, Mistake> {
        let read = Reader { known: self, place: &pending.place };
        let outcome = match &pending.resource.value {
            Resource::Table(table) => read
                .name(pending.id, table.table_name.as_ref())
                .map(|name| Request::Table(name, table)),
            Resource::Queue(queue) => read
                .name(pending.id, queue.queue_name.as_ref())
                .and_then(|name| Ok(Request::Queue(name, read.attributes(queue)?))),
            Resource::QueuePolicy(policy) => read.texts(&policy.queues).and_then(|urls| {
                let document = read.json(&policy.policy_document)?;
                Ok(Request::QueuePolicy(urls, document.to_string()))
            }),
            Resource::Topic(topic) => {
                read.name(pending.id, topic.topic_name.as_ref()).map(Request::Topic)
            }
            Resource::Subscription(it) => read.text(&it.topic_arn).and_then(|topic| {
                Ok(Request::Subscription {
                    topic,
                    queue: read.text(&it.endpoint)?,
                    filter: it.filter_policy.as_ref().map(|policy| policy.to_json()),
                })
            }),
            Resource::ManagedPolicy | Resource::Alarm => Ok(Request::Nothing),
        };
        match outcome {
            Ok(request) => Ok(Some(request)),
            Err((Unknown::Yet, _)) => Ok(None),
            Err((Unknown::Ever(why), text)) => {
                let file = &pending.resource.file;
                Err(Mistake::at(file, text.location, format!("{}: {why}", pending.id)))
            }
        }
    }
}

/// Reads the texts of one resource.
struct Reader<'a, 'w> {
    known: &'a Known<'w>,
    place: &'a Place,
}

type Read<T> = Result<T, (Unknown, Text)>;

impl Reader<'_, '_> {
    fn text(&self, text: &Text) -> Read<String> {
        (self.known.evaluate(self.place, &text.expression)).map_err(|why| (why, text.clone()))
    }

    fn texts(&self, texts: &[Text]) -> Read<Vec<String>> {
        texts.iter().map(|text| self.text(text)).collect()
    }

    /// A resource without a name of its own is named after its stack and logical id.
    fn name(&self, id: &str, text: Option<&Text>) -> Read<String> {
        match text {
            Some(text) => self.text(text),
            None => {
                let stack = self.known.stack(self.place);
                let prefix = stack.map_or("", |stack| stack.prefix.as_str());
                Ok(format!("{prefix}{id}"))
            }
        }
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
        if let Some(policy) = &queue.redrive_policy {
            let policy = json!({
                "deadLetterTargetArn": self.text(&policy.dead_letter_target_arn)?,
                "maxReceiveCount": policy.max_receive_count.0,
            });
            attributes.insert("RedrivePolicy", policy.to_string());
        }
        Ok(attributes)
    }

    fn json(&self, value: &Value) -> Read<Json> {
        Ok(match &value.data {
            Data::Plain(plain) => plain.clone(),
            Data::Text(text) => self.text(text)?.into(),
            Data::List(values) => {
                let values: Read<Vec<Json>> = values.iter().map(|it| self.json(it)).collect();
                values?.into()
            }
            Data::Map(entries) => {
                let mut map = serde_json::Map::new();
                for (key, value) in entries {
                    map.insert(key.clone(), self.json(value)?);
                }
                map.into()
            }
        })
    }
}
