//! The subscriptions of the topic, their filter policies, and the depths of their queues.

use std::str::FromStr;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_sns::{Client as Sns, error::SdkError, types::Subscription};
use aws_sdk_sqs::{Client as Sqs, types::QueueAttributeName as Name};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The filter of a subscription without one.
pub const EVERY: &str = "every order";

/// The topic of orders and what hangs on it.
#[derive(Clone)]
pub struct Topology {
    sns: Sns,
    sqs: Sqs,
    topic_arn: String,
    names: QueueNames,
    events_table: Option<String>,
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

/// A subscription, with its queue.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Lane {
    /// The service behind the queue.
    pub service: String,
    /// The filter policy, as JSON; `every order` without one, empty if it is unknown.
    pub filter: String,
    /// The depth of its queue and of its dead-letter queue.
    pub depth: Option<Depth>,
    /// Whether the service keeps events, and reports nothing.
    pub keeps: bool,
}

/// How many messages a queue holds, approximately.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Depth {
    pub waiting: u64,
    pub in_flight: u64,
    pub dead: u64,
}

impl Topology {
    /// The topology around a topic.
    pub fn new(
        aws: &SdkConfig,
        topic_arn: String,
        names: QueueNames,
        events_table: Option<String>,
    ) -> Self {
        Self { sns: Sns::new(aws), sqs: Sqs::new(aws), topic_arn, names, events_table }
    }

    /// The topology around another topic.
    pub fn of(&self, topic_arn: String) -> Self {
        Self { topic_arn, ..self.clone() }
    }

    /// The topic's subscriptions of queues, by service.
    ///
    /// # Errors
    ///
    /// If the subscriptions cannot be listed. One that cannot be read has no filter, and a queue
    /// that cannot be read has no depth.
    pub async fn lanes(&self) -> anyhow::Result<Vec<Lane>> {
        let list = self.sns.list_subscriptions_by_topic().topic_arn(&self.topic_arn).send().await;
        let list = list.map_err(SdkError::into_service_error).context("listing subscriptions")?;
        // The picture is public, so nothing is shown of subscriptions by e-mail, HTTP and others.
        let queues = list.subscriptions().iter().filter(|it| it.protocol() == Some("sqs"));
        let mut lanes = join_all(queues.map(|it| self.lane(it))).await;
        lanes.sort_by(|one, other| one.service.cmp(&other.service));
        Ok(lanes)
    }

    async fn lane(&self, subscription: &Subscription) -> Lane {
        let queue = subscription.endpoint().and_then(|arn| arn.rsplit(':').next());
        let queue = queue.unwrap_or_default();
        let (filter, depth) = tokio::join!(self.filter(subscription), self.depth(queue));
        let filter = filter.unwrap_or_else(|error| {
            tracing::debug!(queue, error = format!("{error:#}"), "cannot read a subscription");
            String::new()
        });
        let service = self.names.service(queue);
        let keeps = self.events_table.as_ref().is_some_and(|it| self.names.is_of(it, &service));
        Lane { service, filter, depth: depth.ok(), keeps }
    }

    async fn filter(&self, subscription: &Subscription) -> anyhow::Result<String> {
        let get = self.sns.get_subscription_attributes();
        let get = get.set_subscription_arn(subscription.subscription_arn().map(str::to_owned));
        let attributes = get.send().await.map_err(SdkError::into_service_error)?;
        let attributes = attributes.attributes.unwrap_or_default();
        let policy = attributes.get("FilterPolicy").filter(|policy| *policy != "{}");
        Ok(policy.map_or(EVERY, String::as_str).to_owned())
    }

    async fn depth(&self, queue: &str) -> anyhow::Result<Depth> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Redrive {
            dead_letter_target_arn: String,
        }
        let [waiting, in_flight, redrive] = self.attributes(queue).await?;
        let redrive = redrive.and_then(|json| serde_json::from_str::<Redrive>(&json).ok());
        let mut dead = 0;
        if let Some(Redrive { dead_letter_target_arn: arn }) = redrive {
            let [letters, ..] = self.attributes(arn.rsplit(':').next().unwrap_or_default()).await?;
            dead = count(letters);
        }
        Ok(Depth { waiting: count(waiting), in_flight: count(in_flight), dead })
    }

    async fn attributes(&self, queue: &str) -> anyhow::Result<[Option<String>; 3]> {
        let url = self.sqs.get_queue_url().queue_name(queue).send().await?;
        let names = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
            Name::RedrivePolicy,
        ];
        let get = self.sqs.get_queue_attributes().set_queue_url(url.queue_url);
        let got = get.set_attribute_names(Some(names.to_vec())).send().await?;
        let mut attributes = got.attributes.unwrap_or_default();
        Ok(names.map(|name| attributes.remove(&name)))
    }
}

fn count(attribute: Option<String>) -> u64 {
    attribute.and_then(|count| count.parse().ok()).unwrap_or_default()
}
