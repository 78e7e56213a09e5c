//! `fifo`: topics and queues that keep the order of messages within a group.

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::{
    cloudformation::template::messaging::{
        DeduplicationScope, Queue,
        ThroughputLimit::{self, PerMessageGroupId},
        Topic,
    },
    mistake::Wrong,
    yaml::ShortOr,
};

/// What Copilot appends to the name of a FIFO topic, as AWS demands.
pub const SUFFIX: &str = ".fifo";

/// `fifo` of a topic.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct TopicFifo(ShortOr<bool, TopicSettings>);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicSettings {
    content_based_deduplication: Option<bool>,
}

/// `fifo` of a queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct QueueFifo(ShortOr<bool, QueueSettings>);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueSettings {
    content_based_deduplication: Option<bool>,
    deduplication_scope: Option<DeduplicationScope>,
    throughput_limit: Option<ThroughputLimit>,
    high_throughput: Option<bool>,
}

impl TopicFifo {
    /// Whether the topic is FIFO.
    pub fn is_on(&self) -> bool {
        !matches!(self.0, ShortOr::Short(false))
    }

    /// Sets the properties of the topic.
    pub fn apply(&self, topic: &mut Topic) {
        topic.fifo_topic = self.is_on().then_some(true);
        if let ShortOr::Long(settings) = &self.0 {
            topic.content_based_deduplication = settings.content_based_deduplication;
        }
    }
}

impl QueueFifo {
    /// Whether the queue is FIFO.
    pub fn is_on(&self) -> bool {
        !matches!(self.0, ShortOr::Short(false))
    }

    /// Sets the properties of the queue.
    pub fn apply(&self, queue: &mut Queue) {
        queue.fifo_queue = self.is_on().then_some(true);
        if let ShortOr::Long(settings) = &self.0 {
            let high = settings.high_throughput == Some(true);
            queue.content_based_deduplication = settings.content_based_deduplication;
            queue.deduplication_scope =
                settings.deduplication_scope.or(high.then_some(DeduplicationScope::MessageGroup));
            queue.fifo_throughput_limit =
                settings.throughput_limit.or(high.then_some(PerMessageGroupId));
        }
    }

    /// Whether Copilot and SQS accept the settings together.
    pub fn check(fifo: &Spanned<Self>) -> Result<(), Wrong> {
        let ShortOr::Long(settings) = &fifo.value.0 else {
            return Ok(());
        };
        let (scope, limit) = (settings.deduplication_scope, settings.throughput_limit);
        let wrong = |what: &str| Err((fifo.referenced, format!("subscribe.queue.fifo: {what}")));
        if settings.high_throughput == Some(true) && (scope.is_some() || limit.is_some()) {
            return wrong("high_throughput excludes deduplication_scope and throughput_limit");
        }
        if limit == Some(PerMessageGroupId) && scope != Some(DeduplicationScope::MessageGroup) {
            return wrong("perMessageGroupId needs `deduplication_scope: messageGroup`");
        }
        Ok(())
    }
}
