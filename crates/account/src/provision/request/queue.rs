//! Makes a queue, or changes an existing one.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use aws_sdk_sqs::{Client, types::QueueAttributeName};
use deployment::cloudformation::resolve::made::Made;
use serde_json::Value;

const REDRIVE_POLICY: &str = "RedrivePolicy";
/// Whether a queue is FIFO cannot be changed.
const FIFO: &str = "FifoQueue";
/// What a queue has without the attribute, by the reference of `AWS::SQS::Queue`.
const DEFAULTS: [(&str, &str); 5] = [
    ("DelaySeconds", "0"),
    ("MessageRetentionPeriod", "345600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    (REDRIVE_POLICY, ""),
    ("VisibilityTimeout", "30"),
];

type Attributes = HashMap<QueueAttributeName, String>;

/// Makes a queue with these attributes. One that exists gets them, and the defaults of the others.
pub async fn make(
    client: Client,
    name: String,
    attributes: BTreeMap<&'static str, String>,
) -> anyhow::Result<Made> {
    let what = || format!("creating the queue {name}");
    let wanted = attributes.iter().map(|(name, value)| (QueueAttributeName::from(*name), value));
    let wanted: Attributes = wanted.map(|(name, value)| (name, value.clone())).collect();
    let create = client.create_queue().queue_name(&name);
    let answer = create.set_attributes(Some(wanted).filter(|it| !it.is_empty())).send().await;
    let existed = match &answer {
        Ok(_) => false,
        Err(error) => error.as_service_error().is_some_and(|error| error.is_queue_name_exists()),
    };
    let url = if existed {
        client.get_queue_url().queue_name(&name).send().await.with_context(what)?.queue_url
    } else {
        answer.with_context(what)?.queue_url
    };
    let url = url.context("the queue has no URL")?;
    let mut present = attributes_of(&client, &url).await.with_context(what)?;
    let changed = changed(&present, &attributes);
    if !changed.is_empty() {
        let change = client.set_queue_attributes().queue_url(&url).set_attributes(Some(changed));
        change.send().await.with_context(what)?;
    }
    let arn = present.remove(&QueueAttributeName::QueueArn).context("the queue has no ARN")?;
    Ok(Made::queue(&name, url, arn))
}

async fn attributes_of(client: &Client, url: &str) -> anyhow::Result<Attributes> {
    let read = client.get_queue_attributes().queue_url(url);
    let read = read.attribute_names(QueueAttributeName::All).send().await?;
    Ok(read.attributes.unwrap_or_default())
}

/// The attributes that differ from what the files say, or from the default if they say nothing.
fn changed(present: &Attributes, wanted: &BTreeMap<&'static str, String>) -> Attributes {
    let mut changed = Attributes::new();
    let defaults = DEFAULTS.into_iter().filter(|(name, _)| !wanted.contains_key(name));
    let wanted = wanted.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, wanted) in wanted.chain(defaults).filter(|(name, _)| *name != FIFO) {
        let key = QueueAttributeName::from(name);
        let present = present.get(&key).map_or("", String::as_str);
        if !is_same(present, wanted) {
            changed.insert(key, wanted.to_owned());
        }
    }
    changed
}

/// A redrive policy is JSON, which an endpoint may write in another way.
fn is_same(one: &str, other: &str) -> bool {
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    one == other || json(one).is_some_and(|one| Some(one) == json(other))
}

#[cfg(test)]
mod tests {
    use super::{Attributes, QueueAttributeName, changed};

    #[test]
    fn only_what_differs_is_changed_and_a_redrive_policy_can_be_removed() {
        let present: Attributes = [
            (QueueAttributeName::DelaySeconds, "0"),
            (QueueAttributeName::MessageRetentionPeriod, "345600"),
            (QueueAttributeName::ReceiveMessageWaitTimeSeconds, "0"),
            (QueueAttributeName::RedrivePolicy, r#"{"maxReceiveCount": 3}"#),
            (QueueAttributeName::VisibilityTimeout, "60"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into();
        let wanted = |policy: &str| {
            let of = [("RedrivePolicy", policy), ("VisibilityTimeout", "60")];
            of.map(|(name, value)| (name, value.to_owned())).into()
        };
        assert!(changed(&present, &wanted(r#"{"maxReceiveCount":3}"#)).is_empty());
        let removed = changed(&present, &[("VisibilityTimeout", "60".to_owned())].into());
        assert_eq!(removed, [(QueueAttributeName::RedrivePolicy, String::new())].into());
    }
}
