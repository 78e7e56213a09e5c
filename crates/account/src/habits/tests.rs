//! Each habit, as a service sees it, and the administrator who sees everything as it is.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use aws_sdk_sns::types::PublishBatchRequestEntry;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, QueueAttributeName};
use deployment::copilot;
use serde_json::json;

use super::{
    Habits,
    chance::Chance,
    partitions::{Partitions, WRITES_PER_SECOND},
};
use crate::{
    embedded::EmbeddedAccount,
    endpoint::{Settings, dynamodb::DynamoDb, like_aws},
    iam::Caller,
    provision::{ENVIRONMENT, Queue},
    proxy::{Call, Service},
};

/// Longer than anything is late.
const PATIENCE: Duration = Duration::from_secs(60);

struct Fixture {
    account: EmbeddedAccount,
    administrator: SdkConfig,
}

impl Fixture {
    async fn new() -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
        let deployment = copilot::read(&directory, ENVIRONMENT).unwrap();
        let settings = Settings::loopback(0).like_aws(1);
        let account = EmbeddedAccount::start(&deployment, &settings).await.unwrap();
        let administrator = account.target.config().await;
        Self { account, administrator }
    }

    /// A configuration for clients that sign as a service.
    async fn of(&self, service: &str) -> SdkConfig {
        let service = self.account.account.service(service).unwrap();
        self.account.target.config_of(service).await
    }

    fn queue(&self, service: &str) -> Queue {
        self.account.account.service(service).unwrap().queue.clone().unwrap()
    }

    /// Puts numbers into the queue of a service.
    async fn send(&self, service: &str, count: usize) {
        let sqs = aws_sdk_sqs::Client::new(&self.administrator);
        let url = self.queue(service).url;
        for number in 0..count {
            let send = sqs.send_message().queue_url(&url).message_body(number.to_string());
            send.send().await.unwrap();
        }
    }

    fn table(&self) -> String {
        let publisher = self.account.account.service("publisher").unwrap();
        publisher.variable("ORDERS_TABLE_NAME").unwrap().to_owned()
    }
}

async fn receive(sqs: &aws_sdk_sqs::Client, url: &str, wait_seconds: i32) -> Vec<Message> {
    let receive = sqs.receive_message().queue_url(url).max_number_of_messages(10);
    let received = receive.wait_time_seconds(wait_seconds).send().await.unwrap();
    received.messages.unwrap_or_default()
}

fn numbers(messages: &[Message]) -> Vec<usize> {
    messages.iter().map(|message| message.body().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn receives_bring_fewer_messages_in_any_order_and_short_polls_miss_some() {
    let fixture = Fixture::new().await;
    fixture.send("promotion", 100).await;
    let sqs = aws_sdk_sqs::Client::new(&fixture.of("promotion").await);
    let url = fixture.queue("promotion").url;
    let (mut sizes, mut seen) = (Vec::new(), Vec::new());
    while seen.len() < 100 {
        let received = numbers(&receive(&sqs, &url, 0).await);
        sizes.push(received.len());
        seen.extend(received);
    }
    let count = |wanted: usize| sizes.iter().filter(|size| **size == wanted).count();
    assert!(count(0) > 0, "no poll missed what was there: {sizes:?}");
    assert!(count(10) > 0, "no poll was full: {sizes:?}");
    assert!(sizes.iter().any(|size| (1..10).contains(size)), "no poll was partly full: {sizes:?}");
    assert!(!seen.is_sorted(), "{seen:?}");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), 100, "one came twice");
}

#[tokio::test]
async fn some_messages_are_delivered_again_after_they_were_deleted() {
    let fixture = Fixture::new().await;
    fixture.send("promotion", 200).await;
    let sqs = aws_sdk_sqs::Client::new(&fixture.of("promotion").await);
    let url = fixture.queue("promotion").url;
    let (mut seen, mut again) = (BTreeSet::new(), 0);
    let deadline = Instant::now() + PATIENCE;
    // The copies may be left again, so the end is not an empty queue.
    while again == 0 || seen.len() < 200 {
        assert!(Instant::now() < deadline, "{} messages, {again} again", seen.len());
        for message in receive(&sqs, &url, 1).await {
            again += usize::from(!seen.insert(message.message_id().unwrap().to_owned()));
            let delete = sqs.delete_message().queue_url(&url);
            delete.set_receipt_handle(message.receipt_handle).send().await.unwrap();
        }
    }
}

#[tokio::test]
async fn entries_of_a_batch_fail_and_the_others_take_effect() {
    let fixture = Fixture::new().await;
    fixture.send("promotion", 150).await;
    let sqs = aws_sdk_sqs::Client::new(&fixture.of("promotion").await);
    let url = fixture.queue("promotion").url;
    let (mut deleted, mut failed) = (0, 0);
    while deleted + failed < 150 {
        let received = receive(&sqs, &url, 0).await;
        let entries = received.into_iter().enumerate().map(|(index, message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
            entry.set_receipt_handle(message.receipt_handle).build().unwrap()
        });
        let entries: Vec<_> = entries.collect();
        if entries.is_empty() {
            continue;
        }
        let count = entries.len();
        let batch = sqs.delete_message_batch().queue_url(&url).set_entries(Some(entries));
        let answer = batch.send().await.unwrap();
        assert_eq!(answer.successful().len() + answer.failed().len(), count, "{answer:?}");
        for entry in answer.failed() {
            assert_eq!((entry.code(), entry.sender_fault()), ("InternalError", false));
        }
        deleted += answer.successful().len();
        failed += answer.failed().len();
    }
    assert!(failed > 0 && deleted > failed, "{deleted} deleted, {failed} failed");
}

#[tokio::test]
async fn messages_of_a_batch_are_not_published_late_and_twice() {
    let fixture = Fixture::new().await;
    let sns = aws_sdk_sns::Client::new(&fixture.of("publisher").await);
    let publisher = fixture.account.account.service("publisher").unwrap();
    let topic = publisher.topic_arn("ping").unwrap();
    let (mut published, mut failed) = (0, 0);
    for batch in 0..20 {
        let entries = (0..10).map(|index| {
            let entry = PublishBatchRequestEntry::builder().id(index.to_string());
            entry.message((batch * 10 + index).to_string()).build().unwrap()
        });
        let publish = sns.publish_batch().topic_arn(topic);
        let answer = publish.set_publish_batch_request_entries(Some(entries.collect()));
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.successful().len() + answer.failed().len(), 10, "{answer:?}");
        published += answer.successful().len();
        failed += answer.failed().len();
    }
    assert!(failed > 0, "all were published");
    let sqs = aws_sdk_sqs::Client::new(&fixture.administrator);
    let url = fixture.queue("fulfilment").url;
    let at_once = fixture.depth(&url).await;
    assert!(at_once < published, "none is late");
    let (mut order, mut twice) = (Vec::new(), 0);
    let deadline = Instant::now() + PATIENCE;
    while order.len() < published || twice == 0 {
        assert!(Instant::now() < deadline, "{} of {published}, {twice} twice", order.len());
        for message in receive(&sqs, &url, 1).await {
            let envelope: serde_json::Value =
                serde_json::from_str(message.body().unwrap()).unwrap();
            let number: usize = envelope["Message"].as_str().unwrap().parse().unwrap();
            twice += usize::from(order.contains(&number));
            if !order.contains(&number) {
                order.push(number);
            }
        }
    }
    assert!(!order.is_sorted(), "{order:?}");
    assert_eq!(order.len(), published);
}

impl Fixture {
    /// The number of messages in a queue, as the administrator sees it.
    async fn depth(&self, url: &str) -> usize {
        depth(&aws_sdk_sqs::Client::new(&self.administrator), url).await
    }
}

async fn depth(sqs: &aws_sdk_sqs::Client, url: &str) -> usize {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let read = sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone());
    let attributes = read.send().await.unwrap().attributes.unwrap();
    attributes[&name].parse().unwrap()
}

#[tokio::test]
async fn counts_are_approximate_for_a_service_alone() {
    let fixture = Fixture::new().await;
    fixture.send("promotion", 20).await;
    let url = fixture.queue("promotion").url;
    let sqs = aws_sdk_sqs::Client::new(&fixture.of("promotion").await);
    let mut counts = BTreeSet::new();
    for _ in 0..50 {
        counts.insert(depth(&sqs, &url).await);
        assert_eq!(fixture.depth(&url).await, 20);
    }
    assert!(counts.len() > 5, "{counts:?}");
    assert!(counts.iter().all(|count| (10..=30).contains(count)), "{counts:?}");
}

#[tokio::test]
async fn an_index_is_behind_and_catches_up() {
    let fixture = Fixture::new().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&fixture.of("publisher").await);
    let table = fixture.table();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let found = async || {
        let query = dynamodb.query().table_name(&table).index_name("outbox");
        let query = query.key_condition_expression("outbox = :shard");
        let query = query.expression_attribute_values(":shard", text("0")).send().await;
        query.unwrap().items().len()
    };
    let mut behind = 0;
    for number in 0..20 {
        let put = dynamodb.put_item().table_name(&table).item("id", text(&number.to_string()));
        let put = put.item("outbox", text("0")).item("outbox_due", AttributeValue::N("1".into()));
        put.send().await.unwrap();
        behind += usize::from(found().await <= number);
    }
    assert!(behind > 0, "the index was never behind");
    let deadline = Instant::now() + PATIENCE;
    while found().await < 20 {
        assert!(Instant::now() < deadline, "the index never catches up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // What leaves the index, leaves it late too.
    let update = dynamodb.update_item().table_name(&table).key("id", text("0"));
    update.update_expression("REMOVE outbox").send().await.unwrap();
    while found().await > 19 {
        assert!(Instant::now() < deadline, "the item never leaves the index");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn keys_are_left_and_answered_when_they_are_asked_for_again() {
    let fixture = Fixture::new().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&fixture.of("publisher").await);
    let table = fixture.table();
    let key = |number: usize| [("id".to_owned(), AttributeValue::S(number.to_string()))].into();
    for number in 0..5 {
        let put = dynamodb.put_item().table_name(&table).set_item(Some(key(number)));
        put.send().await.unwrap();
    }
    let mut left_once = false;
    for _ in 0..30 {
        let mut keys: Vec<_> = (0..5).map(key).collect();
        let mut items = 0;
        while !keys.is_empty() {
            let keyed = KeysAndAttributes::builder().set_keys(Some(keys)).build().unwrap();
            let answer = dynamodb.batch_get_item().request_items(&table, keyed).send().await;
            let answer = answer.unwrap();
            items += answer.responses.unwrap()[&table].len();
            let left = answer.unprocessed_keys.unwrap_or_default().remove(&table);
            keys = left.map(|left| left.keys).unwrap_or_default();
            left_once |= !keys.is_empty();
        }
        assert_eq!(items, 5);
    }
    assert!(left_once, "no key was ever left");
}

#[test]
fn a_partition_takes_a_thousand_writes_a_second() {
    let partitions = Partitions::of(WRITES_PER_SECOND);
    let (one, other) = (["one".to_owned()], ["other".to_owned()]);
    let now = Instant::now();
    let taken = |at| {
        let mut taken = 0;
        while partitions.take_more(&one, at) {
            partitions.write(&one, at);
            taken += 1;
        }
        taken
    };
    assert_eq!(taken(now), 1_000);
    assert!(partitions.take_more(&other, now));
    assert_eq!(taken(now + Duration::from_millis(500)), 500);
    assert_eq!(taken(now + Duration::from_secs(60)), 1_000, "it does not save up for longer");
}

#[test]
fn a_write_is_throttled_if_a_partition_of_an_index_takes_no_more() {
    let (habits, database) = (Habits::new(1, "here").unwrap(), DynamoDb::new("here").unwrap());
    let key = |name: &str| json!([{"AttributeName": name, "KeyType": "HASH"}]);
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let create = json!({
        "TableName": "orders", "BillingMode": "PAY_PER_REQUEST", "KeySchema": key("id"),
        "AttributeDefinitions": [attribute("id"), attribute("outbox")],
        "GlobalSecondaryIndexes": [{
            "IndexName": "outbox", "KeySchema": key("outbox"),
            "Projection": {"ProjectionType": "ALL"},
        }],
    });
    let call = |operation: &str, caller, request: &serde_json::Value| {
        let call = Call { service: Service::DynamoDb, operation: operation.to_owned() };
        let body = request.to_string();
        like_aws::dynamodb::answer(&habits, &database, &call, caller, body.as_bytes())
    };
    assert!(call("CreateTable", Caller::Administrator, &create).0.is_success());
    let item = json!({"id": {"S": "1"}, "outbox": {"S": "0"}});
    let of_index = habits.schemas.partitions("orders", None, Some(&item))[1..].to_vec();
    for _ in 0..2_000 {
        habits.partitions.write(&of_index, Instant::now());
    }
    let put = json!({"TableName": "orders", "Item": item});
    let (status, body) = call("PutItem", Caller::Service, &put);
    assert_eq!(status, 400);
    assert!(String::from_utf8_lossy(&body).contains("#ThrottlingException"), "{body:?}");
    // It is not stored, and an item that is in no index is.
    let get = json!({"TableName": "orders", "Key": {"id": {"S": "1"}}});
    assert_eq!(call("GetItem", Caller::Service, &get).1, "{}");
    let other = json!({"TableName": "orders", "Item": {"id": {"S": "2"}}});
    assert!(call("PutItem", Caller::Service, &other).0.is_success());
}

#[test]
fn the_same_seed_draws_the_same_for_each_habit() {
    let draws = |seed, habit| {
        let chance = Chance::new(seed, habit);
        (0..1_000).map(|_| chance.of(20)).collect::<Vec<_>>()
    };
    assert_eq!(draws(1, "copies"), draws(1, "copies"));
    assert_ne!(draws(1, "copies"), draws(2, "copies"));
    assert_ne!(draws(1, "copies"), draws(1, "batches"));
    let hits = draws(1, "copies").into_iter().filter(|it| *it).count();
    assert!((150..250).contains(&hits), "{hits} of 1,000 are not 20 %");
}
