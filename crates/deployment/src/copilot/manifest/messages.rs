//! `publish` and `subscribe`: the topics that a service owns, and those that lead to its queue.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::{Overlay, Within, overlay::overlay};
use crate::copilot::{
    duration::Seconds,
    filter_policy::FilterPolicy,
    yaml::{Wrong, wrong},
};

/// How many attributes a filter policy may look at.
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
}

/// What a worker receives.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// The topics; an override replaces all of them.
    pub topics: Option<Vec<Subscription>>,
    /// The queue that they all lead to.
    #[serde(default)]
    pub queue: Queue,
}

/// One topic that leads to a worker's queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// The topic's name.
    pub name: Spanned<TopicName>,
    /// The service that owns it.
    pub service: Spanned<String>,
    /// Which messages are wanted; without one, all are.
    pub filter_policy: Option<FilterPolicy>,
}

/// A worker's queue. What is not set is as SQS has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// How long a message is kept.
    pub retention: Option<Seconds<60, 1_209_600>>,
    /// How long a message waits before it can be received.
    pub delay: Option<Seconds<0, 900>>,
    /// How long a received message is hidden.
    pub timeout: Option<Seconds<0, 43_200>>,
    /// Where messages go that no try could handle.
    pub dead_letter: Option<DeadLetter>,
}

/// Where messages go that no try could handle.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// How many receives a message gets.
    pub tries: Within<1, 1000>,
}

/// The name of a topic, as manifests write it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicName(pub String);

overlay!(Queue: merges(), replaces(retention, delay, timeout, dead_letter));

impl Overlay for Subscribe {
    fn overlaid(self, over: Self) -> Self {
        Self { topics: over.topics.or(self.topics), queue: self.queue.overlaid(over.queue) }
    }
}

impl TopicName {
    /// What is left of it in a logical id: Copilot drops all but letters and digits.
    pub fn letters(&self) -> String {
        self.0.chars().filter(char::is_ascii_alphanumeric).collect()
    }
}

impl Publish {
    /// Two topics with one logical id would be one resource.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        let mut seen = BTreeMap::new();
        for topic in &self.topics {
            let name = &topic.name.value;
            if let Some(other) = seen.insert(name.letters(), name) {
                let what = format!(
                    "publish.topics.name: {:?} and {:?} are one for Copilot, which drops all but \
                     letters and digits",
                    other.0, name.0
                );
                return Err((topic.name.referenced, what));
            }
        }
        Ok(())
    }
}

impl Subscribe {
    /// Copilot makes nothing of a queue without a topic.
    pub(super) fn check(subscribe: &Spanned<Self>) -> Result<(), Wrong> {
        let topics = subscribe.value.topics.as_deref().unwrap_or_default();
        if topics.is_empty() {
            let what = "subscribe: without topics Copilot ignores all of it, the queue as well";
            return Err((subscribe.referenced, what.to_owned()));
        }
        let mut seen = BTreeSet::new();
        for subscription in topics {
            let topic = &subscription.name.value;
            if !seen.insert((&subscription.service.value, topic.letters())) {
                let what = format!(
                    "subscribe.topics.name: {:?} is a second time one of {}",
                    topic.0, subscription.service.value
                );
                return Err((subscription.name.referenced, what));
            }
            let attributes = subscription.filter_policy.as_ref().map_or(0, |it| it.attributes());
            if attributes > MAX_FILTERED_ATTRIBUTES {
                let what = format!(
                    "subscribe.topics.filter_policy: SNS looks at {MAX_FILTERED_ATTRIBUTES} \
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
