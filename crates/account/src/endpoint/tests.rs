//! The behaviour that the product relies on, tested with the AWS SDK, and the differences from AWS
//! that the module's documentation lists.

use std::{path::Path, time::Duration};

use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata as _,
    types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, QueueAttributeName,
};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

mod s3;
mod textract;

use super::{Endpoint, Settings, start};
use crate::provision::{Account, ENVIRONMENT, provision_deployment};
use deployment::{Deployment, copilot};

mod twice;

struct Fixture {
    endpoint: Endpoint,
    deployment: Deployment,
    account: Account,
    dynamodb: aws_sdk_dynamodb::Client,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
}

impl Fixture {
    async fn new() -> Self {
        let endpoint = start(&Settings::loopback(0)).await.unwrap();
        let target = endpoint.target();
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
        let deployment = copilot::read(&directory, ENVIRONMENT).unwrap();
        let account = provision_deployment(&deployment, &target).await.unwrap();
        // Doing it again changes nothing and does not fail.
        provision_deployment(&deployment, &target).await.unwrap();
        let config = target.config().await;
        Self {
            endpoint,
            deployment,
            account,
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sns: aws_sdk_sns::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
        }
    }

    fn queue(&self, service: &str) -> &str {
        let service = self.account.service(service).unwrap();
        &service.queue.as_ref().unwrap().url
    }

    fn variable(&self, service: &str, name: &str) -> &str {
        self.account.service(service).unwrap().variable(name).unwrap()
    }

    fn topic(&self, name: &str) -> &str {
        self.account.service("publisher").unwrap().topic_arn(name).unwrap()
    }

    /// The least amount that promotion's filter policy lets through.
    fn least_amount(&self) -> f64 {
        let promotion = self.deployment.service("promotion").unwrap();
        let mut policies = self.deployment.filter_policies(promotion);
        let bound = policies.find_map(|policy| policy.lower_bound("amount"));
        bound.and_then(serde_json::Number::as_f64).unwrap()
    }

    async fn receive(&self, queue: &str, wait_seconds: i32) -> Vec<aws_sdk_sqs::types::Message> {
        let received = self.sqs.receive_message().queue_url(queue);
        let received = received.max_number_of_messages(10).wait_time_seconds(wait_seconds);
        received.send().await.unwrap().messages.unwrap_or_default()
    }
}

fn number(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("Number").string_value(value).build().unwrap()
}

#[tokio::test]
async fn a_filter_policy_lets_its_least_number_and_larger_ones_through() {
    let aws = Fixture::new().await;
    let mut batch = aws.sns.publish_batch().topic_arn(aws.topic("ordersTopic"));
    let least = aws.least_amount();
    for (index, more) in [-0.01, 0.0, 0.01, 70.0].into_iter().enumerate() {
        let amount = &format!("{:.2}", least + more);
        let entry = PublishBatchRequestEntry::builder()
            .id(index.to_string())
            .message(amount)
            .message_attributes("amount", number(amount))
            .message_group_id("a customer")
            .build()
            .unwrap();
        batch = batch.publish_batch_request_entries(entry);
    }
    let answer = batch.send().await.unwrap();
    assert_eq!((answer.successful().len(), answer.failed().len()), (4, 0));
    assert_eq!(aws.receive(aws.queue("fulfilment"), 0).await.len(), 4);
    assert_eq!(aws.receive(aws.queue("promotion"), 0).await.len(), 3);
}

#[tokio::test]
async fn after_ten_receives_a_message_is_a_dead_letter() {
    let aws = Fixture::new().await;
    let queue = aws.queue("fulfilment");
    let message = aws.sqs.send_message().queue_url(queue).message_body("no order");
    message.send().await.unwrap();
    for _ in 0..10 {
        let received = aws.receive(queue, 0).await;
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
            .id("0")
            .receipt_handle(received[0].receipt_handle().unwrap())
            .visibility_timeout(0)
            .build()
            .unwrap();
        let change = aws.sqs.change_message_visibility_batch().queue_url(queue);
        let answer = change.entries(entry).send().await.unwrap();
        assert_eq!(answer.failed().len(), 0);
    }
    assert_eq!(aws.receive(queue, 0).await.len(), 0);
    let service = aws.account.service("fulfilment").unwrap();
    let dead_letters = service.queue.as_ref().unwrap().dead_letter_url.as_ref().unwrap();
    let found = aws.receive(dead_letters, 5).await;
    assert_eq!(found[0].body(), Some("no order"));
}

#[tokio::test]
async fn queues_are_as_the_manifest_says_and_deletes_come_in_batches() {
    let aws = Fixture::new().await;
    let queue = aws.queue("fulfilment");
    let read = aws.sqs.get_queue_attributes().queue_url(queue);
    let read = read.attribute_names(QueueAttributeName::All).send().await.unwrap();
    let attributes = read.attributes.unwrap();
    assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], "60");
    assert_eq!(attributes[&QueueAttributeName::MessageRetentionPeriod], "1209600");
    let redrive = &attributes[&QueueAttributeName::RedrivePolicy];
    let redrive: serde_json::Value = serde_json::from_str(redrive).unwrap();
    assert_eq!(redrive["maxReceiveCount"].to_string().trim_matches('"'), "10");
    aws.sqs.send_message().queue_url(queue).message_body("x").send().await.unwrap();
    let received = aws.receive(queue, 0).await;
    let entry = DeleteMessageBatchRequestEntry::builder()
        .id("0")
        .receipt_handle(received[0].receipt_handle().unwrap())
        .build()
        .unwrap();
    let delete = aws.sqs.delete_message_batch().queue_url(queue).entries(entry);
    assert_eq!(delete.send().await.unwrap().successful().len(), 1);
    let grouped = aws.sqs.send_message().queue_url(queue).message_body("x");
    let refused = grouped.message_group_id("a customer").send().await;
    assert!(refused.is_err(), "as the module's documentation says");
}

#[tokio::test]
async fn the_outbox_index_is_sparse_sorted_and_its_lease_conditional() {
    let aws = Fixture::new().await;
    let table = aws.variable("publisher", "ORDERS_TABLE_NAME");
    let text = |value: &str| AttributeValue::S(value.to_owned());
    for (id, due) in [("a", Some("2")), ("b", None), ("c", Some("1"))] {
        let mut put = aws.dynamodb.put_item().table_name(table).item("id", text(id));
        if let Some(due) = due {
            let due = AttributeValue::N(due.to_owned());
            put = put.item("outbox", text("0")).item("outbox_due", due);
        }
        put.condition_expression("attribute_not_exists(id)").send().await.unwrap();
    }
    let query = aws.dynamodb.query().table_name(table).index_name("outbox");
    let query = query.key_condition_expression("outbox = :shard AND outbox_due < :now");
    let query = query.expression_attribute_values(":shard", text("0"));
    let query = query.expression_attribute_values(":now", AttributeValue::N("9".to_owned()));
    let items = query.send().await.unwrap().items.unwrap();
    let ids: Vec<_> = items.iter().map(|item| item["id"].as_s().unwrap().as_str()).collect();
    assert_eq!(ids, ["c", "a"]);

    let again = aws.dynamodb.put_item().table_name(table).item("id", text("a"));
    let again = again.condition_expression("attribute_not_exists(id)");
    let again =
        again.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let refused = again.send().await.unwrap_err().into_service_error();
    assert!(refused.is_conditional_check_failed_exception());

    let put = Put::builder().table_name(table).item("id", text("d")).build().unwrap();
    let write = TransactWriteItem::builder().put(put).build();
    let transaction = aws.dynamodb.transact_write_items().transact_items(write);
    transaction.send().await.unwrap();
}

#[tokio::test]
async fn an_index_is_whole_however_large_the_table() {
    const ITEMS: usize = 30;
    let aws = Fixture::new().await;
    let table = aws.variable("publisher", "ORDERS_TABLE_NAME");
    let text = |value: String| AttributeValue::S(value);
    // More than the megabyte that one answer holds.
    for number in 0..ITEMS {
        let put = aws.dynamodb.put_item().table_name(table).item("id", text(number.to_string()));
        let put = put.item("customer", text("x".repeat(50_000)));
        let put = put.item("shard", text("0".to_owned()));
        put.item("placed", text(format!("{number:03}"))).send().await.unwrap();
    }
    let query = aws.dynamodb.query().table_name(table).index_name("latest");
    let query = query.key_condition_expression("#shard = :shard").scan_index_forward(false);
    let query = query.expression_attribute_names("#shard", "shard");
    let query = query.expression_attribute_values(":shard", text("0".to_owned()));
    let items = query.send().await.unwrap().items.unwrap();
    assert_eq!(items.len(), ITEMS);
    assert_eq!(items[0]["placed"].as_s().unwrap(), "029");
}

#[tokio::test]
async fn bad_requests_are_refused_and_the_next_good_one_is_served() {
    let aws = Fixture::new().await;
    let requests = [
        Request::get("/"),
        Request::post("/").header("x-amz-target", "DynamoDB_20120810.Nonsense"),
        Request::post("/").header("x-amz-target", "DynamoDB_20120810.PutItem"),
        Request::post("/").header("x-amz-target", "AmazonSQS.SendMessage"),
        Request::post("/").header("x-amz-target", "AmazonSQS.\u{e9}"),
        Request::post("/").header("content-type", "application/x-www-form-urlencoded"),
    ];
    for request in requests {
        let body = Full::new(Bytes::from_static(b"\xff{not json"));
        let request = request.header("host", "aws").body(body).unwrap();
        let stream = TcpStream::connect(aws.endpoint.address).await.unwrap();
        let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let response = client.send_request(request).await.unwrap();
        assert!(response.status().is_client_error(), "{response:?}");
        assert!(!response.collect().await.unwrap().to_bytes().is_empty());
    }
    let missing = aws.sqs.get_queue_url().queue_name("missing").send().await;
    let code = missing.unwrap_err().code().map(str::to_owned);
    assert!(code.is_some_and(|code| code.contains("NonExistentQueue")));
}

#[tokio::test]
async fn a_taken_port_is_one_sentence_and_a_stop_cuts_long_polls_short() {
    let aws = Fixture::new().await;
    let port = aws.endpoint.address.port();
    let taken = start(&Settings::loopback(port)).await.unwrap_err();
    assert!(taken.is::<pubsub::env::Misconfigured>());
    assert!(taken.to_string().contains(&port.to_string()), "{taken}");
    let poll = aws.sqs.receive_message().queue_url(aws.queue("fulfilment"));
    let poll = tokio::spawn(poll.wait_time_seconds(20).send());
    let stopped = tokio::time::timeout(Duration::from_secs(5), aws.endpoint.stop());
    assert!(stopped.await.is_ok());
    poll.abort();
}
