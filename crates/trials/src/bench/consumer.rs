//! Consumers in this process: the runtime with a handler that does nothing, and the baselines to
//! compare it with.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    types::{DeleteMessageBatchRequestEntry, Message},
};
use pubsub::subscribe::{Failure, Settings, subscribe};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

/// Loops of [`Consumer::Bare`]. With more, the embedded endpoint is not faster.
const BARE_LOOPS: usize = 16;
/// How long the original waits for a message.
const ORIGINAL_WAIT_SECONDS: i32 = 5;
const LONG_POLL_SECONDS: i32 = 20;
const BATCH: i32 = 10;

/// Receives messages and deletes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// The loop of the original in Python: receives one message within 5 s, handles it and deletes
    /// it.
    OneByOne,
    /// Sixteen loops that receive ten messages, handle nothing and delete the ten. A service could
    /// not do that, as it would lose messages: this is the limit of the endpoint.
    Bare,
    /// The workers' runtime.
    Runtime(Tuning),
}

/// Settings of the runtime, and what its handler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// The most messages in flight; there is a poller for every ten.
    pub max_in_flight: usize,
    /// How long a delete waits for others to share its request.
    pub linger: Duration,
    /// How long the handler waits. It does nothing else.
    pub handler: Duration,
}

impl Default for Tuning {
    /// The runtime's defaults, with a handler that does nothing.
    fn default() -> Self {
        let Settings { max_in_flight, linger, .. } = Settings::new(String::new());
        Self { max_in_flight, linger, handler: Duration::ZERO }
    }
}

impl Consumer {
    /// Consumes from `queue` until the returned set is dropped. A task that ends has failed.
    pub fn start(self, aws: &SdkConfig, queue: &str) -> JoinSet<anyhow::Result<()>> {
        let mut tasks = JoinSet::new();
        match self {
            Self::OneByOne => {
                tasks.spawn(one_by_one(Client::new(aws), queue.to_owned()));
            }
            Self::Bare => {
                for _ in 0..BARE_LOOPS {
                    tasks.spawn(in_tens(Client::new(aws), queue.to_owned()));
                }
            }
            Self::Runtime(Tuning { max_in_flight, linger, handler }) => {
                let settings = Settings::new(queue.to_owned());
                let settings = Settings { max_in_flight, linger, ..settings };
                let aws = aws.clone();
                let handle = move |(), _| wait(handler);
                tasks.spawn(async move {
                    subscribe(&aws, settings, CancellationToken::new(), handle).await
                });
            }
        }
        tasks
    }
}

async fn wait(time: Duration) -> Result<(), Failure> {
    if !time.is_zero() {
        sleep(time).await;
    }
    Ok(())
}

async fn one_by_one(sqs: Client, queue: String) -> anyhow::Result<()> {
    loop {
        for message in receive(&sqs, &queue, 1, ORIGINAL_WAIT_SECONDS).await? {
            let delete = sqs.delete_message().queue_url(&queue);
            delete.set_receipt_handle(message.receipt_handle).send().await?;
        }
    }
}

async fn in_tens(sqs: Client, queue: String) -> anyhow::Result<()> {
    loop {
        let messages = receive(&sqs, &queue, BATCH, LONG_POLL_SECONDS).await?;
        if messages.is_empty() {
            continue;
        }
        let entries = messages.into_iter().enumerate().map(|(id, message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(id.to_string());
            entry.set_receipt_handle(message.receipt_handle).build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        sqs.delete_message_batch().queue_url(&queue).set_entries(Some(entries)).send().await?;
    }
}

async fn receive(
    sqs: &Client,
    queue: &str,
    count: i32,
    wait_seconds: i32,
) -> anyhow::Result<Vec<Message>> {
    let receive = sqs.receive_message().queue_url(queue);
    let receive = receive.max_number_of_messages(count).wait_time_seconds(wait_seconds);
    Ok(receive.send().await?.messages.unwrap_or_default())
}
