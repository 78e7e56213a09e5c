//! The calls on the queue, with every option and time limit they have.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    config::{
        Builder,
        retry::{RetryConfig, RetryPartition},
    },
    error::{ProvideErrorMetadata, SdkError},
    types::{
        BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
        DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
    },
};
use aws_smithy_types::{error::operation::BuildError, timeout::TimeoutConfig};
use serde::Deserialize;
use thiserror::Error;
use tokio::time::{Instant, timeout};

use super::{
    received::{Lease, Received},
    settings::Settings,
};

/// The most that SQS gives, deletes or changes in one call.
pub const BATCH: usize = 10;

/// Longer than a healthy call takes. The SDK sets no limit, so that a connection that died without
/// a word would hold its caller for good.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a refusal is taken for granted.
const REFUSAL_PAUSE: Duration = Duration::from_secs(60);
/// What a receive may take beyond the wait that SQS was asked for.
const RECEIVE_MARGIN: Duration = Duration::from_secs(15);

/// The queue of one subscription.
pub struct Queue {
    url: String,
    wait: Duration,
    /// Does not try again by itself: backing off is the intake's business.
    receives: Client,
    calls: Client,
    /// When SQS last refused to change visibility, which Copilot's own policy does not allow: see
    /// `overrides/cfn.patches.yml`.
    refused: Mutex<Option<Instant>>,
}

impl Queue {
    pub fn new(aws: &SdkConfig, settings: &Settings) -> Self {
        // The tokens that limit the SDK's tries are shared within a partition. A queue that is out
        // of order must not use up those of the service's other calls.
        let partition = RetryPartition::custom("subscribe").build();
        let client = |attempt_timeout: Duration, retries: Option<RetryConfig>| {
            let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt_timeout);
            let inherited = aws.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled);
            let mut config = Builder::from(aws)
                .retry_partition(partition.clone())
                .timeout_config(timeouts.take_unset_from(inherited.into_builder()).build());
            if let Some(retries) = retries {
                config = config.retry_config(retries);
            }
            Client::from_conf(config.build())
        };
        Self {
            url: settings.queue_url.clone(),
            wait: settings.receive_wait,
            receives: client(settings.receive_wait + RECEIVE_MARGIN, Some(RetryConfig::disabled())),
            calls: client(CALL_TIMEOUT, None),
            refused: Mutex::new(None),
        }
    }

    /// Its name, for traces.
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// False for a while after SQS refused it: then messages wait for the end of their visibility
    /// timeout. A policy that was just changed takes about a minute to be in force.
    pub fn may_change_visibility(&self) -> bool {
        self.refused().is_none_or(|at| at.elapsed() >= REFUSAL_PAUSE)
    }

    fn refused(&self) -> MutexGuard<'_, Option<Instant>> {
        // No code that can panic runs under the lock.
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for messages, at most `max` of them, and hides them for `visibility`.
    pub async fn receive(
        &self,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<Received>, CallFailed> {
        let output = self
            .receives
            .receive_message()
            .queue_url(&self.url)
            .wait_time_seconds(seconds(self.wait))
            .visibility_timeout(seconds(visibility))
            .max_number_of_messages(i32::try_from(max.min(BATCH)).unwrap_or(1))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::AwsTraceHeader)
            .message_attribute_names("All")
            .send()
            .await?;
        let messages = output.messages.unwrap_or_default();
        Ok(messages.into_iter().filter_map(Received::read).collect())
    }

    /// Deletes up to ten messages; the answers are in the order of `leases`.
    pub async fn delete(&self, leases: &[Lease]) -> Result<Vec<Answer>, CallFailed> {
        let entries = leases.iter().enumerate().map(|(index, lease)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&lease.receipt_handle)
                .build()
        });
        let output = self
            .calls
            .delete_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect::<Result<_, _>>()?))
            .send()
            .await?;
        let done = output.successful.into_iter().map(|entry| entry.id);
        Ok(answers(leases.len(), done, output.failed))
    }

    /// Changes when up to ten messages become visible; the answers are in the order of `changes`.
    pub async fn change_visibility<'a>(
        &self,
        changes: impl ExactSizeIterator<Item = (&'a Lease, Duration)>,
    ) -> Result<Vec<Answer>, CallFailed> {
        let count = changes.len();
        let entries = changes.enumerate().map(|(index, (lease, visible_in))| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&lease.receipt_handle)
                .visibility_timeout(seconds(visible_in))
                .build()
        });
        let output = self
            .calls
            .change_message_visibility_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect::<Result<_, _>>()?))
            .send()
            .await
            .map_err(CallFailed::from)
            .inspect_err(|error| self.note_refusal(error))?;
        let done = output.successful.into_iter().map(|entry| entry.id);
        Ok(answers(count, done, output.failed))
    }

    fn note_refusal(&self, error: &CallFailed) {
        if error.refused && self.refused().replace(Instant::now()).is_none() {
            tracing::warn!(
                reason = %error,
                "may not change visibility: leases are not renewed, and failures wait for timeouts"
            );
        }
    }

    /// What the queue itself says of its messages, so that its definition is the one place that
    /// says it; [`Rules::default`] if it may not be asked.
    pub async fn rules(&self) -> Rules {
        match timeout(CALL_TIMEOUT, self.ask_rules()).await {
            Ok(Ok(rules)) => rules,
            Ok(Err(error)) => Rules::assumed(&error.to_string()),
            Err(_) => Rules::assumed("it did not answer in time"),
        }
    }

    async fn ask_rules(&self) -> Result<Rules, CallFailed> {
        let output = self
            .calls
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::VisibilityTimeout)
            .attribute_names(QueueAttributeName::RedrivePolicy)
            .send()
            .await?;
        let attributes = output.attributes.unwrap_or_default();
        let visibility = attributes
            .get(&QueueAttributeName::VisibilityTimeout)
            .and_then(|seconds| seconds.parse().ok())
            .map_or(Rules::default().visibility, Duration::from_secs);
        let tries = attributes
            .get(&QueueAttributeName::RedrivePolicy)
            .and_then(|policy| serde_json::from_str::<RedrivePolicy>(policy).ok())
            .and_then(RedrivePolicy::tries);
        Ok(Rules { visibility: visibility.max(Rules::MIN_VISIBILITY), tries })
    }
}

/// What the queue does with its messages.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long a received message is hidden from everyone else.
    pub visibility: Duration,
    /// How often a message is received before it moves to the dead-letter queue, if there is one.
    pub tries: Option<u32>,
}

impl Rules {
    /// A shorter lease could end between two looks of its keeper.
    const MIN_VISIBILITY: Duration = Duration::from_secs(10);

    fn assumed(reason: &str) -> Self {
        let assumed = Self::default();
        tracing::warn!(
            reason,
            visibility_seconds = assumed.visibility.as_secs(),
            tries = assumed.tries,
            "the queue does not say its settings, so these are assumed"
        );
        assumed
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self { visibility: Duration::from_secs(60), tries: Some(3) }
    }
}

/// The attribute `RedrivePolicy`: AWS writes the count as a number, and accepts it as a text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    max_receive_count: serde_json::Value,
}

impl RedrivePolicy {
    fn tries(self) -> Option<u32> {
        let count = self.max_receive_count;
        let number = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
        u32::try_from(number).ok()
    }
}

/// What SQS said of one entry of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    /// The receipt handle does not hold the message any more: trying again is of no use.
    Invalid,
    /// Trying again may help.
    Failed(String),
}

fn answers(
    count: usize,
    done: impl Iterator<Item = String>,
    failed: Vec<BatchResultErrorEntry>,
) -> Vec<Answer> {
    // SQS speaks of every entry; an entry it leaves out is tried again.
    let mut answers = vec![Answer::Failed("no answer".to_owned()); count];
    let done = done.map(|id| (id, Answer::Done));
    let failed = failed.into_iter().map(|entry| {
        let gone = ["ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"];
        let invalid = gone.iter().any(|code| entry.code.ends_with(code));
        let answer = if invalid { Answer::Invalid } else { Answer::Failed(entry.code) };
        (entry.id, answer)
    });
    for (id, answer) in done.chain(failed) {
        if let Some(slot) = id.parse().ok().and_then(|index: usize| answers.get_mut(index)) {
            *slot = answer;
        }
    }
    answers
}

/// A call that failed.
#[derive(Debug, Error)]
#[error("{reason:#}")]
pub struct CallFailed {
    /// SQS answered, and will answer the same again: a permission or the queue is missing.
    pub refused: bool,
    reason: anyhow::Error,
}

impl<E> From<SdkError<E>> for CallFailed
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E>) -> Self {
        const REFUSALS: [&str; 6] = [
            "AccessDenied",
            "QueueDoesNotExist",
            "NonExistentQueue",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "UnrecognizedClient",
        ];
        let code = error.code().unwrap_or_default();
        Self {
            refused: REFUSALS.iter().any(|refusal| code.contains(refusal)),
            reason: error.into(),
        }
    }
}

impl From<BuildError> for CallFailed {
    fn from(error: BuildError) -> Self {
        Self { refused: false, reason: error.into() }
    }
}

/// Whole seconds, as SQS takes them: at least as long as `duration`.
fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_nanos().div_ceil(1_000_000_000)).unwrap_or(i32::MAX)
}
