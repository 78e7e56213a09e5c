//! What drains a queue here: the runtime with a handler that does nothing, and the baselines it is
//! compared with.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    types::{DeleteMessageBatchRequestEntry, Message},
};
use pubsub::subscribe::{Failure, Settings, subscribe};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

/// How many loops make the bare limit: as many as the embedded endpoint rewards.
const BARE_LOOPS: usize = 16;
/// What the original waits for a message.
const ORIGINAL_WAIT_SECONDS: i32 = 5;
const LONG_POLL_SECONDS: i32 = 20;
const BATCH: i32 = 10;

/// Something that receives and deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// The loop of the article that this product implements, in Python there: receive one message
    /// within 5 s, handle it, delete it.
    OneByOne,
    /// Receives ten and deletes ten, from sixteen loops at once, and handles nothing. It loses
    /// what fails: this is the limit of the endpoint, not a way to work.
    Bare,
    /// The runtime of the workers.
    Runtime(Tuning),
}

/// How the runtime is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How many messages are held at once; there is a poller for every ten.
    pub max_in_flight: usize,
    /// How long a deletion waits for others.
    pub linger: Duration,
    /// What the handler waits for somebody else; it does nothing else.
    pub handler: Duration,
}

impl Default for Tuning {
    /// As it comes, with a handler that does nothing.
    fn default() -> Self {
        let Settings { max_in_flight, linger, .. } = Settings::new(String::new());
        Self { max_in_flight, linger, handler: Duration::ZERO }
    }
}

impl Consumer {
    /// Consumes from `queue` until what is returned is dropped; what it yields is a failure.
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
                let handle = move |_| wait(handler);
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
