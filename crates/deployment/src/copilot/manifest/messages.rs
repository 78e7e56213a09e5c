//! `publish` and `subscribe`: the topics that a service owns, and those that it receives from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::{
    fifo::{self, QueueFifo, TopicFifo},
    overlay::{Overlay, overlay},
};
use crate::{
    bare, cloudformation::filter_policy::FilterPolicy, copilot::duration::Seconds, mistake::Wrong,
    within::Within, yaml::wrong,
};

/// The most attributes that a filter policy may have conditions on.
const MAX_FILTERED_ATTRIBUTES: usize = 5;

/// The topics that a service owns.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The topics; an override replaces all of them.
    pub topics: Vec<Topic>,
}

/// A topic that a service owns.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Its name, unique within the service.
    pub name: Spanned<TopicName>,
    /// Whether it keeps the order of messages within a group.
    pub fifo: Option<TopicFifo>,
}

/// The topics that a worker receives from, and its queue.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// The topics; an override replaces all of them.
    pub topics: Option<Vec<Subscription>>,
    /// The queue that gets the messages of all topics.
    #[serde(default)]
    pub queue: Queue,
}

/// A topic that a worker receives from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// The topic's name.
    pub name: Spanned<TopicName>,
    /// The service that owns it.
    pub service: Spanned<String>,
    /// The messages to receive; all, if there is none.
    pub filter_policy: Option<FilterPolicy>,
}

/// A worker's queue. A setting that is not given has the default of SQS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// How long a message is kept.
    pub retention: Option<Seconds<60, 1_209_600>>,
    /// How long a message waits before it can be received.
    pub delay: Option<Seconds<0, 900>>,
    /// How long a message is hidden after it was received.
    pub timeout: Option<Seconds<0, 43_200>>,
    /// The queue for messages that failed every attempt.
    pub dead_letter: Option<DeadLetter>,
    /// Whether it keeps the order of messages within a group.
    pub fifo: Option<Spanned<QueueFifo>>,
}

/// The queue for messages that failed every attempt.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// The number of receives after which a message goes there.
    #[serde(deserialize_with = "bare::required")]
    pub tries: Within<1, 1000>,
}

/// The name of a topic in manifests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicName(pub String);

overlay!(Queue: merges(), replaces(retention, delay, timeout, dead_letter, fifo));

impl Overlay for Subscribe {
    fn overlaid(self, over: Self) -> Self {
        Self { topics: over.topics.or(self.topics), queue: self.queue.overlaid(over.queue) }
    }
}

impl TopicName {
    /// The name that Copilot gives to a FIFO topic.
    fn fifo(&self) -> Self {
        Self(format!("{}{}", self.0, fifo::SUFFIX))
    }

    /// The logical id of the topic in its owner's template.
    pub fn logical_id(&self) -> String {
        format!("{}SNSTopic", self.letters())
    }

    /// The letters and digits, which are all that Copilot uses in logical ids.
    fn letters(&self) -> String {
        self.0.chars().filter(char::is_ascii_alphanumeric).collect()
    }
}

impl Publish {
    /// Gives FIFO topics the names that Copilot gives them.
    pub(super) fn name_fifo_topics(&mut self) {
        for topic in &mut self.topics {
            if topic.fifo.as_ref().is_some_and(TopicFifo::is_on) {
                topic.name.value = topic.name.value.fifo();
            }
        }
    }

    /// Two topics with the same logical id would be one resource.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        let mut seen = BTreeMap::new();
        for topic in &self.topics {
            let name = &topic.name.value;
            if let Some(other) = seen.insert(name.letters(), name) {
                let what = format!(
                    "publish.topics.name: {:?} and {:?} are the same for Copilot, which drops all \
                     but letters and digits",
                    other.0, name.0
                );
                return Err((topic.name.referenced, what));
            }
        }
        Ok(())
    }
}

impl Subscribe {
    /// All topics of a FIFO queue are FIFO; this gives them their names.
    pub(super) fn name_fifo_topics(&mut self) {
        if self.queue.fifo.as_ref().is_some_and(|fifo| fifo.value.is_on()) {
            for subscription in self.topics.iter_mut().flatten() {
                subscription.name.value = subscription.name.value.fifo();
            }
        }
    }

    /// Without a topic, Copilot creates no queue.
    pub(super) fn check(subscribe: &Spanned<Self>) -> Result<(), Wrong> {
        let topics = subscribe.value.topics.as_deref().unwrap_or_default();
        if topics.is_empty() {
            let what = "subscribe: without topics Copilot ignores all of it, including the queue";
            return Err((subscribe.referenced, what.to_owned()));
        }
        subscribe.value.queue.fifo.as_ref().map_or(Ok(()), QueueFifo::check)?;
        let mut seen = BTreeSet::new();
        for subscription in topics {
            let topic = &subscription.name.value;
            if !seen.insert((&subscription.service.value, topic.letters())) {
                let what = format!(
                    "subscribe.topics.name: {:?} of {} is listed twice",
                    topic.0, subscription.service.value
                );
                return Err((subscription.name.referenced, what));
            }
            let attributes = subscription.filter_policy.as_ref().map_or(0, |it| it.attributes());
            if attributes > MAX_FILTERED_ATTRIBUTES {
                let what = format!(
                    "subscribe.topics.filter_policy: SNS accepts {MAX_FILTERED_ATTRIBUTES} \
                     attributes, not {attributes}"
                );
                return Err((subscription.name.referenced, what));
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for TopicName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if name.is_empty() || !name.chars().all(fits) {
            return Err(wrong(format!("{name:?} is not a topic's name: letters, digits, - and _")));
        }
        Ok(Self(name))
    }
}
