//! Tests of batching with a scripted SNS.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::retry::RetryConfig;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::body::SdkBody;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{Attribute, Message, Topic};
use crate::{testing::config, unavailable::Unavailable};

/// The most bytes that SNS accepts in one request.
const SNS_MAX_BYTES: usize = 262_144;

/// How SNS fails messages of a batch, by their body: with which code, and whether it says that the
/// sender is at fault.
const FAILURES: [(&str, &str, bool); 3] = [
    ("rejected", "InvalidParameter", true),
    ("throttled", "ThrottledException", true),
    ("unlucky", "InternalError", false),
];

/// An SNS that responds after other tasks have run, fails messages as in [`FAILURES`], and never
/// answers a request with the body `silent`.
#[derive(Clone, Debug, Default)]
struct ScriptedSns {
    /// The size of each request's batch.
    batches: Arc<Mutex<Vec<usize>>>,
}

impl ScriptedSns {
    fn topic(&self) -> Topic {
        let aws = config(self.clone()).into_builder().retry_config(RetryConfig::disabled());
        let aws = aws.build();
        Topic::new(&aws, "arn:aws:sns:us-east-1:000000000000:topic".to_owned())
    }

    /// A topic with a request in progress, which SNS never answers.
    async fn busy_topic(&self) -> Topic {
        let topic = self.topic();
        let silent = topic.clone();
        tokio::spawn(async move { silent.publish(message("silent")).await });
        sleep(Duration::from_millis(10)).await;
        topic
    }

    fn batches(&self) -> Vec<usize> {
        self.batches.lock().unwrap().clone()
    }

    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let form = std::str::from_utf8(request.body().bytes().unwrap()).unwrap();
        let messages: Vec<&str> = form
            .split('&')
            .filter_map(|field| field.split_once(".Message="))
            .map(|(_, message)| message)
            .collect();
        self.batches.lock().unwrap().push(messages.len());
        let (mut successful, mut failed) = (String::new(), String::new());
        for (id, message) in messages.into_iter().enumerate() {
            match FAILURES.into_iter().find(|(body, ..)| *body == message) {
                None => {
                    successful +=
                        &format!("<member><Id>{id}</Id><MessageId>m</MessageId></member>");
                }
                Some((_, code, sender)) => {
                    failed += &format!(
                        "<member><Id>{id}</Id><Code>{code}</Code>\
                         <SenderFault>{sender}</SenderFault></member>"
                    );
                }
            }
        }
        let body = format!(
            "<PublishBatchResponse><PublishBatchResult><Successful>{successful}</Successful>\
             <Failed>{failed}</Failed></PublishBatchResult></PublishBatchResponse>"
        );
        HttpResponse::new(200.try_into().unwrap(), SdkBody::from(body))
    }
}

impl HttpConnector for ScriptedSns {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.answer(&request);
        let form = std::str::from_utf8(request.body().bytes().unwrap()).unwrap();
        let is_silent = form.contains(".Message=silent");
        HttpConnectorFuture::new(async move {
            if is_silent {
                std::future::pending::<()>().await;
            }
            // Lets other messages arrive while this request is in progress.
            tokio::task::yield_now().await;
            Ok(answer)
        })
    }
}

fn message(body: impl Into<String>) -> Message {
    Message {
        body: body.into(),
        attributes: Vec::new(),
        group: "group".to_owned(),
        deduplication_id: "id".to_owned(),
    }
}

/// Publishes messages concurrently. Returns whether SNS accepted each one.
async fn publish(topic: &Topic, messages: Vec<String>) -> Vec<bool> {
    let mut publishing = JoinSet::new();
    for (index, body) in messages.into_iter().enumerate() {
        let topic = topic.clone();
        publishing.spawn(async move {
            let published = topic.publish(message(body)).await;
            (index, published.is_ok())
        });
    }
    let mut answers = publishing.join_all().await;
    answers.sort();
    answers.into_iter().map(|(_, published)| published).collect()
}

#[tokio::test]
async fn waiting_messages_share_a_request() {
    let sns = ScriptedSns::default();
    let published = publish(&sns.topic(), vec!["order".to_owned(); 100]).await;
    assert_eq!(published, vec![true; 100]);
    let batches = sns.batches();
    assert_eq!(batches.iter().sum::<usize>(), 100);
    // One more than ten, because the first message is sent alone.
    assert!(batches.len() <= 11, "{batches:?}");
}

#[tokio::test]
async fn a_rejected_message_does_not_fail_its_batch() {
    let sns = ScriptedSns::default();
    let messages = ["order", "rejected", "order"].map(str::to_owned).to_vec();
    let published = publish(&sns.topic(), messages).await;
    assert_eq!(published, [true, false, true]);
    // It was in a batch with the others.
    assert!(sns.batches().contains(&3), "{:?}", sns.batches());
}

#[tokio::test]
async fn a_message_that_sns_cannot_take_now_is_not_at_fault() {
    let topic = ScriptedSns::default().topic();
    for (body, is_at_fault) in [("rejected", true), ("throttled", false), ("unlucky", false)] {
        let error = topic.publish(message(body)).await.unwrap_err();
        assert_eq!(!Unavailable::caused(&error), is_at_fault, "{body}: {error:#}");
    }
}

#[tokio::test]
async fn messages_too_large_for_one_request_are_split_into_two() {
    let sns = ScriptedSns::default();
    let third = "x".repeat(SNS_MAX_BYTES / 3);
    let published = publish(&sns.topic(), vec![third; 5]).await;
    assert_eq!(published, [true; 5]);
    assert_eq!(sns.batches(), [3, 2]);
}

/// A message of this many bytes, as SNS counts them, mostly in one attribute.
fn message_of_bytes(bytes: usize, is_number: bool) -> Message {
    let (body, name) = ("order", "amount");
    let kind = if is_number { "Number" } else { "String" };
    let value = "1".repeat(bytes - body.len() - name.len() - kind.len());
    let value = if is_number { Attribute::Number(value) } else { Attribute::Text(value) };
    Message { attributes: vec![(name, value)], ..message(body) }
}

#[tokio::test(start_paused = true)]
async fn attributes_count_for_the_size_of_a_request() {
    for is_number in [false, true] {
        for (bytes, batches) in
            [(SNS_MAX_BYTES / 2, &[1, 2][..]), (SNS_MAX_BYTES / 2 + 1, &[1, 1, 1])]
        {
            let sns = ScriptedSns::default();
            // They wait for each other, because another request is in progress.
            let topic = sns.busy_topic().await;
            let [one, other] = [(); 2].map(|()| topic.publish(message_of_bytes(bytes, is_number)));
            let (one, other) = tokio::join!(one, other);
            one.and(other).unwrap();
            assert_eq!(sns.batches(), batches, "{bytes} bytes");
        }
    }
}

#[tokio::test]
async fn a_message_too_large_for_any_request_is_sent_for_sns_to_reject() {
    let sns = ScriptedSns::default();
    let published = publish(&sns.topic(), vec!["x".repeat(SNS_MAX_BYTES + 1)]).await;
    assert_eq!((published, sns.batches()), (vec![true], vec![1]));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_sns_does_not_answer_holds_up_no_other_message() {
    let sns = ScriptedSns::default();
    let topic = sns.busy_topic().await;
    let since = Instant::now();
    topic.publish(message("order")).await.unwrap();
    assert!(since.elapsed() < Duration::from_millis(200), "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn no_request_has_more_messages_than_sns_takes() {
    let sns = ScriptedSns::default();
    let topic = sns.busy_topic().await;
    // It waits for others, because the silent request is in progress.
    let early = topic.clone();
    let early = tokio::spawn(async move { early.publish(message("order")).await });
    sleep(Duration::from_millis(10)).await;
    assert_eq!(publish(&topic, vec!["order".to_owned(); 10]).await, [true; 10]);
    early.await.unwrap().unwrap();
    assert_eq!(sns.batches(), [1, 10, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_caller_gave_up_is_not_published() {
    let sns = ScriptedSns::default();
    let topic = sns.busy_topic().await;
    // It waits for a batch, because the silent request is in progress.
    let cancelled = timeout(Duration::from_millis(10), topic.publish(message("cancelled"))).await;
    assert!(cancelled.is_err());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(sns.batches(), [1], "only the silent one was sent");
}
