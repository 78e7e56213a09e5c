//! What a queue is subscribed to, as the account has it.

use std::collections::BTreeMap;

use account::filter::{Attribute, Filter};
use anyhow::{Context as _, ensure};
use archive::Event;
use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use serde::Deserialize;

/// The subscriptions of a queue, with their filters, by topic.
#[derive(Debug)]
pub struct Subscriptions(BTreeMap<String, Option<Filter>>);

/// Whether a queue gets an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Wanted,
    /// Its filter policy does not let it through.
    Filtered,
    /// It is not subscribed to the topic.
    Foreign,
}

/// What of an envelope a filter looks at.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    topic_arn: String,
    message: String,
    #[serde(default)]
    message_attributes: BTreeMap<String, TypedValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TypedValue {
    r#type: String,
    value: String,
}

impl Subscriptions {
    /// Those of the queue with this ARN.
    ///
    /// # Errors
    ///
    /// If SNS does not answer, or one of them has raw delivery or a filter policy that is not
    /// understood.
    pub async fn of(aws: &SdkConfig, queue_arn: &str) -> anyhow::Result<Self> {
        let sns = Client::new(aws);
        let mut pages = sns.list_subscriptions().into_paginator().send();
        let mut filters = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.context("listing the subscriptions")?;
            let own = page.subscriptions().iter().filter(|it| it.endpoint() == Some(queue_arn));
            for subscription in own {
                let topic = subscription.topic_arn().unwrap_or_default();
                let arn = subscription.subscription_arn().unwrap_or_default();
                let filter = filter(&sns, arn).await;
                let filter = filter.with_context(|| format!("the subscription to {topic}"))?;
                filters.insert(topic.to_owned(), filter);
            }
        }
        Ok(Self(filters))
    }

    /// Whether the queue gets `event`.
    ///
    /// # Errors
    ///
    /// If its envelope cannot be read.
    pub fn judge(&self, event: &Event) -> anyhow::Result<Verdict> {
        let envelope: Envelope = serde_json::from_str(&event.envelope)
            .with_context(|| format!("reading the event {}", event.id))?;
        let Some(filter) = self.0.get(&envelope.topic_arn) else { return Ok(Verdict::Foreign) };
        let attributes = envelope.message_attributes.into_iter().map(|(name, attribute)| {
            let TypedValue { r#type: kind, value } = attribute;
            (name, Attribute { kind, value })
        });
        let attributes = attributes.collect();
        let is_wanted = filter.as_ref().is_none_or(|it| it.matches(&attributes, &envelope.message));
        Ok(if is_wanted { Verdict::Wanted } else { Verdict::Filtered })
    }
}

/// The filter of a subscription, if it has one.
async fn filter(sns: &Client, subscription: &str) -> anyhow::Result<Option<Filter>> {
    let get = sns.get_subscription_attributes().subscription_arn(subscription).send().await?;
    let attributes = get.attributes.unwrap_or_default();
    let attribute = |name: &str| attributes.get(name).map(String::as_str);
    let is_raw = attribute("RawMessageDelivery") == Some("true");
    ensure!(!is_raw, "has raw delivery, and replays are sent in the envelope of SNS");
    let policy = attribute("FilterPolicy");
    policy.map(|policy| Filter::new(policy, attribute("FilterPolicyScope"))).transpose()
}
