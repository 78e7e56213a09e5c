//! The subscriptions of a topic, with their filter policies.

use std::str::FromStr;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_sns::{Client as Sns, error::SdkError, types::Subscription};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;

use crate::fresh::{Found, Fresh, PATIENCE};

/// The filter of a subscription without one.
pub const EVERY: &str = "every order";
/// How many requests a second a topic may take: one lists its subscriptions, and one reads each.
const RATE: f64 = 0.25;

/// A topic and what hangs on it.
#[derive(Clone)]
pub struct Topology {
    sns: Sns,
    topic_arn: String,
    names: QueueNames,
    events_table: Option<String>,
    subscribers: Fresh<Vec<Subscriber>>,
}

/// How queues are named after services: a pattern such as `shop-{service}-queue`. A deployer may
/// add something at the end of a queue's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueNames {
    before: String,
    after: String,
}

impl QueueNames {
    const SERVICE: &str = "{service}";

    /// The service that the queue belongs to, or the queue's own name if it does not fit.
    fn service(&self, queue: &str) -> String {
        let rest = queue.strip_prefix(&self.before);
        let service = rest.and_then(|rest| match self.after.as_str() {
            "" => Some(rest),
            after => Some(rest.split_once(after)?.0),
        });
        service.unwrap_or(queue).to_owned()
    }

    /// Whether a resource has the name of a service, as its queue has, and then something else.
    fn is_of(&self, resource: &str, service: &str) -> bool {
        let rest = resource.strip_prefix(&self.before).and_then(|it| it.strip_prefix(service));
        rest.is_some_and(|rest| rest.starts_with(['-', '.', '_']))
    }
}

impl Default for QueueNames {
    /// A queue has the name of its service.
    fn default() -> Self {
        Self { before: String::new(), after: String::new() }
    }
}

impl FromStr for QueueNames {
    type Err = String;

    fn from_str(pattern: &str) -> Result<Self, String> {
        match pattern.split_once(Self::SERVICE) {
            Some((before, after)) => {
                Ok(Self { before: before.to_owned(), after: after.to_owned() })
            }
            None => Err(format!("it should contain {}", Self::SERVICE)),
        }
    }
}

/// A subscription of a queue.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Subscriber {
    /// The service behind the queue.
    pub service: String,
    /// The filter policy, as JSON; `every order` without one, empty if it is unknown.
    pub filter: String,
    /// The name of the queue.
    #[serde(skip)]
    pub queue: String,
    /// Whether the service keeps events, and reports nothing.
    pub keeps: bool,
}

impl Topology {
    /// The topology around a topic.
    pub fn new(
        aws: &SdkConfig,
        topic_arn: String,
        names: QueueNames,
        events_table: Option<String>,
    ) -> Self {
        let (sns, subscribers) = (Sns::new(aws), Fresh::at(RATE));
        Self { sns, topic_arn, names, events_table, subscribers }
    }

    /// The topology around another topic.
    pub fn of(&self, topic_arn: String) -> Self {
        Self { topic_arn, subscribers: Fresh::at(RATE), ..self.clone() }
    }

    /// The topic's subscriptions of queues, by service, as they were some seconds ago.
    ///
    /// # Errors
    ///
    /// If the subscriptions cannot be listed. One that cannot be read has no filter.
    pub async fn subscribers(&self) -> anyhow::Result<Vec<Subscriber>> {
        let topology = self.clone();
        let find = || async move {
            let read = timeout(PATIENCE, topology.read()).await;
            read.context("reading the subscriptions takes too long")?
        };
        self.subscribers.get(find).await.map(|read| read.to_vec())
    }

    async fn read(&self) -> anyhow::Result<Found<Vec<Subscriber>>> {
        let list = self.sns.list_subscriptions_by_topic().topic_arn(&self.topic_arn).send().await;
        let list = list.map_err(SdkError::into_service_error).context("listing subscriptions")?;
        // The picture is public, so nothing is shown of subscriptions by e-mail, HTTP and others.
        let queues = list.subscriptions().iter().filter(|it| it.protocol() == Some("sqs"));
        let mut subscribers = join_all(queues.map(|it| self.subscriber(it))).await;
        subscribers.sort_by(|one, other| one.service.cmp(&other.service));
        Ok(Found { requests: 1 + subscribers.len(), value: subscribers })
    }

    async fn subscriber(&self, subscription: &Subscription) -> Subscriber {
        let queue = subscription.endpoint().and_then(|arn| arn.rsplit(':').next());
        let queue = queue.unwrap_or_default().to_owned();
        let filter = self.filter(subscription).await.unwrap_or_else(|error| {
            tracing::debug!(queue, error = format!("{error:#}"), "cannot read a subscription");
            String::new()
        });
        let service = self.names.service(&queue);
        let keeps = self.events_table.as_ref().is_some_and(|it| self.names.is_of(it, &service));
        Subscriber { service, filter, queue, keeps }
    }

    async fn filter(&self, subscription: &Subscription) -> anyhow::Result<String> {
        let get = self.sns.get_subscription_attributes();
        let get = get.set_subscription_arn(subscription.subscription_arn().map(str::to_owned));
        let attributes = get.send().await.map_err(SdkError::into_service_error)?;
        let attributes = attributes.attributes.unwrap_or_default();
        let policy = attributes.get("FilterPolicy").filter(|policy| *policy != "{}");
        Ok(policy.map_or(EVERY, String::as_str).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_named_after_its_service_or_shown_by_its_own_name() {
        let names: QueueNames = "pubsub-test-{service}-EventsQueue".parse().unwrap();
        for (queue, service) in [
            ("pubsub-test-promotion-EventsQueue", "promotion"),
            ("pubsub-test-data-lake-EventsQueue-1X2Y3Z", "data-lake"),
            ("audit", "audit"),
            ("pubsub-prod-promotion-EventsQueue", "pubsub-prod-promotion-EventsQueue"),
        ] {
            assert_eq!(names.service(queue), service);
        }
        assert_eq!(QueueNames::default().service("invoice"), "invoice");
        assert!("no place".parse::<QueueNames>().is_err());
    }

    #[test]
    fn the_service_that_keeps_events_is_known_by_the_name_of_its_table() {
        let names: QueueNames = "shop-test-{service}-EventsQueue".parse().unwrap();
        let table = "shop-test-history-eventsTable";
        assert!(names.is_of(table, "history"));
        for other in ["promotion", "histor", "history-events", ""] {
            assert!(!names.is_of(table, other), "{other}");
        }
    }
}
