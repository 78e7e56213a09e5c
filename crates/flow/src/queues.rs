//! How many messages queues hold, as SQS says approximately.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_sqs::{Client as Sqs, types::QueueAttributeName as Name};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::fresh::{Found, Fresh, PATIENCE};

/// How many requests a second the queues may take, and their dead-letter queues, which change
/// seldom.
const RATE: f64 = 0.8;
const LETTERS_RATE: f64 = 0.4;

/// The queues of an account, by name. A clone is cheap, and shares what it knows.
#[derive(Clone)]
pub struct Queues {
    sqs: Sqs,
    /// A name has one URL for ever.
    urls: Arc<Mutex<HashMap<String, String>>>,
    messages: Fresh<HashMap<String, Messages>>,
    letters: Fresh<HashMap<String, Messages>>,
}

/// What there is in a queue.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    pub waiting: u64,
    pub in_flight: u64,
    /// The name of its dead-letter queue, if it has one.
    pub letters: Option<String>,
}

/// How many messages a queue and its dead-letter queue hold, approximately.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Depth {
    pub waiting: u64,
    pub in_flight: u64,
    pub dead: u64,
}

impl Queues {
    /// The queues that `aws` has access to.
    pub fn new(aws: &SdkConfig) -> Self {
        Self {
            sqs: Sqs::new(aws),
            urls: Arc::default(),
            messages: Fresh::at(RATE),
            letters: Fresh::at(LETTERS_RATE),
        }
    }

    /// The depths of these queues some seconds ago. One that cannot be read has none.
    pub async fn depths(&self, names: BTreeSet<String>) -> HashMap<String, Depth> {
        let messages = self.recently(&self.messages, names).await;
        let letters = messages.values().filter_map(|messages| messages.letters.clone());
        let letters = self.recently(&self.letters, letters.collect()).await;
        let depth = |(name, messages): (&String, &Messages)| {
            let dead = match &messages.letters {
                Some(queue) => letters.get(queue)?.waiting,
                None => 0,
            };
            let Messages { waiting, in_flight, .. } = *messages;
            Some((name.clone(), Depth { waiting, in_flight, dead }))
        };
        messages.iter().filter_map(depth).collect()
    }

    async fn recently(
        &self,
        fresh: &Fresh<HashMap<String, Messages>>,
        names: BTreeSet<String>,
    ) -> Arc<HashMap<String, Messages>> {
        let queues = self.clone();
        let find = || async move {
            let requests = names.len();
            let value = timeout(PATIENCE, queues.read(names)).await;
            Ok(Found { value: value.context("reading queues takes too long")?, requests })
        };
        fresh.get(find).await.unwrap_or_default()
    }

    /// What is in these queues, with a request for each. One that cannot be read is left out.
    async fn read(&self, names: BTreeSet<String>) -> HashMap<String, Messages> {
        let read = join_all(names.into_iter().map(async |name| {
            let messages = self.messages(&name).await.inspect_err(|error| {
                tracing::debug!(queue = name, error = format!("{error:#}"), "cannot read a queue");
            });
            Some((name, messages.ok()?))
        }));
        read.await.into_iter().flatten().collect()
    }

    async fn messages(&self, queue: &str) -> anyhow::Result<Messages> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Redrive {
            dead_letter_target_arn: String,
        }
        let names = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
            Name::RedrivePolicy,
        ];
        let get = self.sqs.get_queue_attributes().queue_url(self.url(queue).await?);
        let got = get.set_attribute_names(Some(names.to_vec())).send().await?;
        let mut attributes = got.attributes.unwrap_or_default();
        let [waiting, in_flight, redrive] = names.map(|name| attributes.remove(&name));
        let redrive = redrive.and_then(|json| serde_json::from_str::<Redrive>(&json).ok());
        let letters = redrive.and_then(|redrive| {
            redrive.dead_letter_target_arn.rsplit(':').next().map(str::to_owned)
        });
        Ok(Messages { waiting: count(waiting), in_flight: count(in_flight), letters })
    }

    async fn url(&self, queue: &str) -> anyhow::Result<String> {
        let urls = || self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        let known = urls().get(queue).cloned();
        if let Some(url) = known {
            return Ok(url);
        }
        let got = self.sqs.get_queue_url().queue_name(queue).send().await?;
        let url = got.queue_url.context("SQS returned no URL")?;
        urls().insert(queue.to_owned(), url.clone());
        Ok(url)
    }
}

fn count(attribute: Option<String>) -> u64 {
    attribute.and_then(|count| count.parse().ok()).unwrap_or_default()
}
