//! Shows what the services publish, without a subscription.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use rustack_sns_http::request::{
    get_optional_param, parse_form_params, parse_message_attributes, parse_publish_batch_entries,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::proxy::{Call, Service};

/// A message that a service asked SNS to publish, perhaps again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The ARN of the topic.
    pub topic_arn: String,
    /// The text.
    pub message: String,
    /// The message attributes, without their types.
    pub attributes: BTreeMap<String, String>,
}

/// Where to listen. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub struct WireTap(Arc<Mutex<Vec<UnboundedSender<Published>>>>);

impl WireTap {
    /// Everything that services publish from now on, in the order in which it arrives.
    pub fn listen(&self) -> UnboundedReceiver<Published> {
        let (sender, receiver) = unbounded_channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Passes on what is published by a call that is allowed.
    pub(crate) fn note(&self, call: &Call, body: &[u8]) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.is_empty() || call.service != Service::Sns {
            return;
        }
        for published in published(call, body) {
            listeners.retain(|listener| listener.send(published.clone()).is_ok());
        }
    }
}

/// The messages of a request; none if it is another one, or SNS will refuse it.
fn published(call: &Call, body: &[u8]) -> Vec<Published> {
    let form = parse_form_params(body);
    let topic_arn = get_optional_param(&form, "TopicArn").unwrap_or_default();
    let messages = match &*call.operation {
        "Publish" => {
            let message = get_optional_param(&form, "Message").unwrap_or_default().to_owned();
            let attributes = parse_message_attributes(&form, "MessageAttributes");
            vec![(message, attributes.unwrap_or_default())]
        }
        "PublishBatch" => {
            let entries = parse_publish_batch_entries(&form).unwrap_or_default();
            entries.into_iter().map(|entry| (entry.message, entry.message_attributes)).collect()
        }
        _ => Vec::new(),
    };
    let published = messages.into_iter().map(|(message, attributes)| Published {
        topic_arn: topic_arn.to_owned(),
        message,
        attributes: (attributes.into_iter())
            .map(|(name, value)| (name, value.string_value.unwrap_or_default()))
            .collect(),
    });
    published.collect()
}
