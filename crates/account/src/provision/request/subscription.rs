//! Subscribes a queue to a topic, or changes an existing subscription.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_sns::Client;
use deployment::cloudformation::resolve::made::Made;

const FILTER_POLICY: &str = "FilterPolicy";
/// By the reference of `SetSubscriptionAttributes`, this removes a filter policy.
const NO_FILTER: &str = "{}";

/// Subscribes a queue to a topic. A subscription that exists gets the filter policy, or loses its
/// own if there is none any more.
pub async fn make(
    client: Client,
    topic: String,
    queue: String,
    filter: Option<String>,
) -> anyhow::Result<Made> {
    let what = || format!("subscribing {queue} to {topic}");
    let attributes =
        filter.clone().map(|policy| HashMap::from([(FILTER_POLICY.to_owned(), policy)]));
    let subscribe = client.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&queue);
    let answer = subscribe.return_subscription_arn(true).set_attributes(attributes).send().await;
    let arn = answer.with_context(what)?.subscription_arn.context("a subscription has no ARN")?;
    let present = client.get_subscription_attributes().subscription_arn(&arn).send().await;
    let present = present.with_context(what)?.attributes.unwrap_or_default();
    let present = present.get(FILTER_POLICY).map_or(NO_FILTER, String::as_str);
    let wanted = filter.as_deref().unwrap_or(NO_FILTER);
    // If it existed, it still has its old one.
    if present != wanted {
        let change = client.set_subscription_attributes().subscription_arn(arn);
        let change = change.attribute_name(FILTER_POLICY).attribute_value(wanted);
        change.send().await.with_context(what)?;
    }
    Ok(Made::nothing())
}
