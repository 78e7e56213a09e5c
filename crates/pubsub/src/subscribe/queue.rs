//! The calls to SQS, with all their options and timeouts.

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
use crate::operation::Operation;

/// The most messages that SQS accepts or returns in one call.
pub const BATCH: usize = 10;

/// Longer than a healthy call takes. The SDK sets no timeout, so a dead connection would block its
/// caller for ever.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// How long no visibility is changed after SQS denied it. A changed policy takes about a minute to
/// take effect.
const DENIAL_PAUSE: Duration = Duration::from_secs(60);
/// How much longer than its wait a receive may take.
const RECEIVE_MARGIN: Duration = Duration::from_secs(15);

/// The queue of one subscription.
pub struct Queue {
    url: String,
    wait: Duration,
    /// The client for receives: it does not retry, because the intake does.
    receives: Client,
    /// The client for changes of visibility. It does not retry: a renewal that is sent again after
    /// its message was released would hide the message.
    changes: Client,
    /// The client for all other calls.
    calls: Client,
    // What each call measures.
    receiving: Operation,
    deleting: Operation,
    changing: Operation,
    /// When SQS last denied a visibility change: a policy may allow only receiving and deleting.
    denied_at: Mutex<Option<Instant>>,
}

impl Queue {
    pub fn new(aws: &SdkConfig, settings: &Settings) -> Self {
        // Clients in the same partition share a limit on retries. A failing queue must not use up
        // the retries of the service's other calls.
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
        let operation =
            |operation, kind| Operation::new("aws_sqs", operation, kind, name(&settings.queue_url));
        Self {
            receiving: operation("receive", "receive"),
            deleting: operation("delete", "settle"),
            changing: operation("change_visibility", "settle"),
            url: settings.queue_url.clone(),
            wait: settings.receive_wait,
            receives: client(settings.receive_wait + RECEIVE_MARGIN, Some(RetryConfig::disabled())),
            changes: client(CALL_TIMEOUT, Some(RetryConfig::disabled())),
            calls: client(CALL_TIMEOUT, None),
            denied_at: Mutex::new(None),
        }
    }

    /// The queue's name, for traces and metrics.
    pub fn name(&self) -> &str {
        name(&self.url)
    }

    /// Whether the queue keeps the order of messages within a group.
    pub fn is_fifo(&self) -> bool {
        self.url.ends_with(".fifo")
    }

    /// False for a minute after SQS denied it: retries then wait for the visibility timeout.
    pub fn may_change_visibility(&self) -> bool {
        self.denied_at().is_none_or(|at| at.elapsed() >= DENIAL_PAUSE)
    }

    fn denied_at(&self) -> MutexGuard<'_, Option<Instant>> {
        // Code that holds the lock cannot panic.
        self.denied_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for up to `max` messages, and hides them for `visibility`.
    pub async fn receive(
        &self,
        max: usize,
        visibility: Duration,
        keeps_envelope: bool,
    ) -> Result<Vec<Received>, CallFailed> {
        let receive = self
            .receives
            .receive_message()
            .queue_url(&self.url)
            .wait_time_seconds(seconds(self.wait))
            .visibility_timeout(seconds(visibility))
            .max_number_of_messages(i32::try_from(max.min(BATCH)).unwrap_or(1))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::AwsTraceHeader)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .message_attribute_names("All");
        let output = self.receiving.time(Box::pin(receive.send())).await?;
        let messages = output.messages.unwrap_or_default();
        let messages = messages.into_iter();
        Ok(messages.filter_map(|it| Received::read(it, keeps_envelope)).collect())
    }

    /// Deletes up to ten messages. The results are in the order of `leases`.
    pub async fn delete(&self, leases: &[Lease]) -> Result<Vec<EntryResult>, CallFailed> {
        let entries = leases.iter().enumerate().map(|(index, lease)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&lease.receipt_handle)
                .build()
        });
        let delete = self.calls.delete_message_batch().queue_url(&self.url);
        let delete = delete.set_entries(Some(entries.collect::<Result<_, _>>()?));
        let output = self.deleting.time(Box::pin(delete.send())).await?;
        let done = output.successful.into_iter().map(|entry| entry.id);
        Ok(entry_results(leases.len(), done, output.failed))
    }

    /// Sets when up to ten messages become visible. The results are in the order of `changes`.
    pub async fn change_visibility<'a>(
        &self,
        changes: impl ExactSizeIterator<Item = (&'a Lease, Duration)>,
    ) -> Result<Vec<EntryResult>, CallFailed> {
        let count = changes.len();
        let entries = changes.enumerate().map(|(index, (lease, visible_in))| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&lease.receipt_handle)
                .visibility_timeout(seconds(visible_in))
                .build()
        });
        let change = self.changes.change_message_visibility_batch().queue_url(&self.url);
        let change = change.set_entries(Some(entries.collect::<Result<_, _>>()?));
        let output = self
            .changing
            .time(Box::pin(change.send()))
            .await
            .map_err(CallFailed::from)
            .inspect_err(|error| self.note_denial(error))?;
        let done = output.successful.into_iter().map(|entry| entry.id);
        Ok(entry_results(count, done, output.failed))
    }

    fn note_denial(&self, error: &CallFailed) {
        if error.is_permanent && self.denied_at().replace(Instant::now()).is_none() {
            tracing::warn!(
                reason = %error,
                "cannot change visibility: leases are not renewed, retries wait for the timeout"
            );
        }
    }

    /// Reads the attributes from the queue, so that they are set in one place, its definition.
    ///
    /// # Errors
    ///
    /// A sentence with the reason, if they cannot be read within 3 s.
    pub async fn attributes(&self) -> Result<QueueAttributes, String> {
        match timeout(CALL_TIMEOUT, self.get_attributes()).await {
            Ok(attributes) => attributes.map_err(|error| error.to_string()),
            Err(_) => Err("timed out".to_owned()),
        }
    }

    async fn get_attributes(&self) -> Result<QueueAttributes, CallFailed> {
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
            .map_or(QueueAttributes::default().visibility, Duration::from_secs);
        let max_receives = attributes
            .get(&QueueAttributeName::RedrivePolicy)
            .and_then(|policy| serde_json::from_str::<RedrivePolicy>(policy).ok())
            .and_then(RedrivePolicy::max_receives);
        let visibility = visibility.max(QueueAttributes::MIN_VISIBILITY);
        Ok(QueueAttributes { visibility, max_receives })
    }
}

fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

/// The queue's attributes that the runtime uses.
#[derive(Clone, Copy, Debug)]
pub struct QueueAttributes {
    /// How long a received message is hidden from other receivers.
    pub visibility: Duration,
    /// How many receives a message has before it moves to the dead-letter queue. `None`: there is
    /// no dead-letter queue.
    pub max_receives: Option<u32>,
}

impl QueueAttributes {
    /// Leaves time for several renewals, which run every second, before a lease ends.
    const MIN_VISIBILITY: Duration = Duration::from_secs(10);
}

impl Default for QueueAttributes {
    fn default() -> Self {
        Self { visibility: Duration::from_secs(60), max_receives: Some(3) }
    }
}

/// The attribute `RedrivePolicy`. AWS accepts the count as a number or a string.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    max_receive_count: serde_json::Value,
}

impl RedrivePolicy {
    fn max_receives(self) -> Option<u32> {
        let count = self.max_receive_count;
        let number = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
        u32::try_from(number).ok()
    }
}

/// The result of one entry of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryResult {
    Done,
    /// The receipt handle is no longer valid. A retry with it cannot succeed.
    InvalidHandle,
    /// A retry may succeed.
    Failed(String),
}

fn entry_results(
    count: usize,
    done: impl Iterator<Item = String>,
    failed: Vec<BatchResultErrorEntry>,
) -> Vec<EntryResult> {
    let mut results = vec![EntryResult::Failed("no result".to_owned()); count];
    let done = done.map(|id| (id, EntryResult::Done));
    let failed = failed.into_iter().map(|entry| {
        let codes = ["ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"];
        let invalid = codes.iter().any(|code| entry.code.ends_with(code));
        let result =
            if invalid { EntryResult::InvalidHandle } else { EntryResult::Failed(entry.code) };
        (entry.id, result)
    });
    for (id, result) in done.chain(failed) {
        if let Some(slot) = id.parse().ok().and_then(|index: usize| results.get_mut(index)) {
            *slot = result;
        }
    }
    results
}

/// A call that failed.
#[derive(Debug, Error)]
#[error("{reason:#}")]
pub struct CallFailed {
    /// It will fail until the configuration changes: the queue or a permission is missing.
    pub is_permanent: bool,
    reason: anyhow::Error,
}

impl<E> From<SdkError<E>> for CallFailed
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E>) -> Self {
        const PERMANENT: [&str; 6] = [
            "AccessDenied",
            "QueueDoesNotExist",
            "NonExistentQueue",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "UnrecognizedClient",
        ];
        let code = error.code().unwrap_or_default();
        Self {
            is_permanent: PERMANENT.iter().any(|permanent| code.contains(permanent)),
            reason: error.into(),
        }
    }
}

impl From<BuildError> for CallFailed {
    fn from(error: BuildError) -> Self {
        Self { is_permanent: false, reason: error.into() }
    }
}

/// The duration in seconds, rounded up.
fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_nanos().div_ceil(1_000_000_000)).unwrap_or(i32::MAX)
}
