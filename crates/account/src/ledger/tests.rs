//! The ledger against the queues of an account, as the SDK sees them.

use std::{path::Path, time::SystemTime};

use aws_sdk_sqs::Client;

use super::{Ledger, MAX_CALLS, Made, Message, Moment, queue::MAX_LEFT};
use crate::{embedded::EmbeddedAccount, provision::Queue};

struct Fixture {
    aws: EmbeddedAccount,
    ledger: Ledger,
    sqs: Client,
    queue: Queue,
}

impl Fixture {
    async fn new() -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
        let aws = EmbeddedAccount::of_files(&directory).await.unwrap();
        let (ledger, sqs) = (aws.endpoint.ledger(), Client::new(&aws.target.config().await));
        let queue = aws.account.service("promotion").unwrap().queue.clone().unwrap();
        Self { aws, ledger, sqs, queue }
    }

    fn messages(&self, url: &str) -> Vec<Message> {
        self.ledger.messages(&super::name(url), 10)
    }

    async fn publish(&self, text: &str) {
        let topic = self.aws.account.service("publisher").unwrap();
        let amount = aws_sdk_sns::types::MessageAttributeValue::builder();
        let amount = amount.data_type("Number").string_value("120").build().unwrap();
        let sns = aws_sdk_sns::Client::new(&self.aws.target.config().await);
        let publish = sns.publish().topic_arn(topic.topic_arn("ordersTopic").unwrap());
        publish.message(text).message_attributes("amount", amount).send().await.unwrap();
    }

    /// Receives a message, and returns its receipt.
    async fn receive(&self, url: &str) -> Option<String> {
        let received = self.sqs.receive_message().queue_url(url).send().await.unwrap();
        Some(received.messages?.pop()?.receipt_handle.unwrap())
    }

    async fn release(&self, receipt: &str) {
        let release = self.sqs.change_message_visibility().queue_url(&self.queue.url);
        release.receipt_handle(receipt).visibility_timeout(0).send().await.unwrap();
    }
}

fn moments(message: &Message) -> Vec<Moment> {
    message.moments.iter().map(|(_, moment)| moment.clone()).collect()
}

#[tokio::test]
async fn looking_shows_a_message_of_sns_and_is_no_receive() {
    let it = Fixture::new().await;
    it.publish("an order").await;
    for _ in 0..2 {
        let seen = it.messages(&it.queue.url);
        assert_eq!((seen.len(), seen[0].receives), (1, 0));
        assert!(seen[0].body.contains("an order"), "{}", seen[0].body);
        assert!(!seen[0].is_in_flight(SystemTime::now()));
    }
    let attributes = it.sqs.get_queue_attributes().queue_url(&it.queue.url);
    let attributes = attributes.attribute_names("All".into()).send().await.unwrap();
    let attributes = attributes.attributes.unwrap();
    assert_eq!(attributes[&"ApproximateNumberOfMessages".into()], "1");
    assert_eq!(attributes[&"ApproximateNumberOfMessagesNotVisible".into()], "0");
}

#[tokio::test]
async fn a_message_is_followed_from_its_arrival_to_its_end() {
    let it = Fixture::new().await;
    it.publish("an order").await;
    let receipt = it.receive(&it.queue.url).await.unwrap();
    assert!(it.messages(&it.queue.url)[0].is_in_flight(SystemTime::now()));
    it.release(&receipt).await;
    assert!(!it.messages(&it.queue.url)[0].is_in_flight(SystemTime::now()));
    let receipt = it.receive(&it.queue.url).await.unwrap();
    let renew = it.sqs.change_message_visibility().queue_url(&it.queue.url);
    renew.receipt_handle(&receipt).visibility_timeout(120).send().await.unwrap();
    let delete = it.sqs.delete_message().queue_url(&it.queue.url).receipt_handle(&receipt);
    delete.send().await.unwrap();
    assert!(it.messages(&it.queue.url).is_empty());
    let found = it.ledger.find("an order", 10);
    let (_, gone) =
        found.iter().find(|(queue, _)| it.queue.url.ends_with(queue)).expect("it was kept");
    use Moment::{Deleted, Received, Released, Renewed, Sent};
    let expected = [Sent, Received, Released(0), Received, Renewed(120), Deleted];
    assert_eq!(moments(gone), expected);
    // The calls of services are noted, and those of the administrator, as all of these are, not.
    assert!(it.ledger.calls(&[&gone.id, "order"]).is_empty());
    let publisher = it.aws.account.service("publisher").unwrap();
    let sns = aws_sdk_sns::Client::new(&it.aws.target.config_of(publisher).await);
    let publish = sns.publish().topic_arn(publisher.topic_arn("ping").unwrap());
    publish.message("hello").send().await.unwrap();
    let made = it.ledger.calls(&["hello"]);
    assert_eq!(made[0].name, "SNS.Publish");
    assert_eq!((made[0].status, made[0].caller.as_str()), (200, "pubsub-test-publisher-TaskRole"));
}

#[tokio::test]
async fn a_message_that_was_received_too_often_is_among_the_dead_letters() {
    let it = Fixture::new().await;
    it.publish("poison").await;
    while let Some(receipt) = it.receive(&it.queue.url).await {
        it.release(&receipt).await;
    }
    assert!(it.messages(&it.queue.url).is_empty());
    let letters_url = it.queue.dead_letter_url.clone().unwrap();
    let letters = it.messages(&letters_url);
    assert_eq!((letters.len(), letters[0].receives), (1, 0));
    // It is what a receive finds there.
    let received = it.sqs.receive_message().queue_url(&letters_url).wait_time_seconds(5);
    let received = received.send().await.unwrap().messages.unwrap();
    assert_eq!(received[0].message_id.as_deref(), Some(&*letters[0].id));
    let purge = it.sqs.purge_queue().queue_url(&letters_url);
    purge.send().await.unwrap();
    assert!(it.messages(&letters_url).is_empty());
}

#[tokio::test]
async fn what_sqs_counts_corrects_the_ledger() {
    let it = Fixture::new().await;
    let note = |operation: &str, request: &str, answer: &str| {
        it.ledger.note(operation, request.as_bytes(), answer.as_bytes());
    };
    let count = |queue: &str, count: usize| {
        let answer = format!(
            r#"{{"Attributes": {{"ApproximateNumberOfMessages": "{count}",
            "ApproximateNumberOfMessagesNotVisible": "0",
            "ApproximateNumberOfMessagesDelayed": "0"}}}}"#
        );
        note("GetQueueAttributes", &format!(r#"{{"QueueUrl": "http://a/{queue}"}}"#), &answer);
    };
    let policy = r#"{"QueueUrl": "http://a/q", "Attributes": {"RedrivePolicy":
        "{\"maxReceiveCount\": 1, \"deadLetterTargetArn\": \"arn:aws:sqs:r:1:d\"}"}}"#;
    note("SetQueueAttributes", policy, "{}");
    it.ledger.sent("http://a/q", "1", "b", std::time::Duration::ZERO);
    let received = r#"{"Messages": [{"MessageId": "1", "Body": "b", "ReceiptHandle": "r"}]}"#;
    note("ReceiveMessage", r#"{"QueueUrl": "http://a/q"}"#, received);
    let release = r#"{"QueueUrl": "http://a/q", "ReceiptHandle": "r", "VisibilityTimeout": 0}"#;
    note("ChangeMessageVisibility", release, "{}");
    count("d", 0);
    assert_eq!((it.messages("q").len(), it.messages("d").len()), (1, 0));
    // The receive that moved it has not answered yet.
    count("d", 1);
    assert_eq!((it.messages("q").len(), it.messages("d").len()), (0, 1));
    // A message that has just arrived may be counted next time.
    count("d", 0);
    assert_eq!(it.messages("d").len(), 1);
}

#[tokio::test]
async fn a_message_whose_arrival_is_noted_after_its_end_does_not_stay() {
    let it = Fixture::new().await;
    let request = br#"{"QueueUrl": "http://a/q"}"#;
    let answer = br#"{"Messages": [{"MessageId": "1", "Body": "b", "ReceiptHandle": "r"}]}"#;
    it.ledger.note("ReceiveMessage", request, answer);
    it.ledger.note("DeleteMessage", br#"{"QueueUrl": "http://a/q", "ReceiptHandle": "r"}"#, b"{}");
    it.ledger.sent("http://a/q", "1", "b", std::time::Duration::ZERO);
    assert!(it.messages("http://a/q").is_empty());
}

#[tokio::test]
async fn the_ledger_knows_up_to_when_it_has_forgotten() {
    let ledger = Ledger::default();
    let send = |id: usize| ledger.sent("q", &id.to_string(), "b", std::time::Duration::ZERO);
    let purge = || ledger.note("PurgeQueue", br#"{"QueueUrl": "q"}"#, b"{}");
    let call = |id: usize, name: &str| {
        ledger.made(Made {
            at: SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(id as u64),
            took: std::time::Duration::ZERO,
            caller: String::new(),
            name: name.to_owned(),
            status: 200,
            request: format!("call {id};").into(),
        });
    };
    for id in 0..MAX_LEFT {
        send(id);
    }
    purge();
    (0..MAX_CALLS).for_each(|id| call(id, "SNS.Publish"));
    // An idle system makes these, and they push out nothing.
    (0..MAX_CALLS).for_each(|id| call(id, "SQS.ReceiveMessage"));
    let forgotten = ledger.forgotten();
    assert_eq!((forgotten.messages, forgotten.calls), (None, None));
    let (_, first) = ledger.find("0", 1).pop().unwrap();
    send(MAX_LEFT);
    purge();
    call(MAX_CALLS, "SNS.Publish");
    let forgotten = ledger.forgotten();
    assert_eq!(forgotten.messages, Some(first.sent()));
    assert_eq!(forgotten.calls, Some(SystemTime::UNIX_EPOCH));
    assert!(ledger.find("0", usize::MAX).iter().all(|(_, it)| it.id != "0"));
    assert!(ledger.calls(&["call 0;"]).is_empty() && ledger.calls(&["call 1;"]).len() == 1);
}
