//! Calls of services, judged by the policies of the real files.

use std::{path::Path, time::Duration};

use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::types::QueueAttributeName;
use deployment::copilot;
use reqwest::Client;
use serde_json::json;

use super::Judge;
use crate::{
    embedded::EmbeddedAccount,
    endpoint::{Settings, region},
    provision::{ENVIRONMENT, Service},
};

async fn account() -> EmbeddedAccount {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot");
    let deployment = copilot::read(&directory, ENVIRONMENT).unwrap();
    EmbeddedAccount::start(&deployment, &Settings::loopback(0)).await.unwrap()
}

fn service<'a>(account: &'a EmbeddedAccount, name: &str) -> &'a Service {
    account.account.service(name).unwrap()
}

/// A configuration for clients that sign as `service`.
async fn signing_as(account: &EmbeddedAccount, name: &str) -> aws_config::SdkConfig {
    account.target.config_of(service(account, name)).await
}

#[tokio::test]
async fn dynamodb_refuses_what_no_policy_of_the_role_allows() {
    let account = account().await;
    let promotion = aws_sdk_dynamodb::Client::new(&signing_as(&account, "promotion").await);
    let table = service(&account, "promotion").variable("COUPONS_TABLE_NAME").unwrap();
    let refused = promotion.scan().table_name(table).send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 400);
    let refused = refused.into_service_error();
    assert_eq!(refused.code(), Some("AccessDeniedException"));
    let region = region();
    let expected = format!(
        "User: arn:aws:sts::000000000000:assumed-role/pubsub-test-promotion-TaskRole/local is not \
         authorized to perform: dynamodb:Scan on resource: \
         arn:aws:dynamodb:{region}:000000000000:table/pubsub-test-promotion-couponsTable because \
         no identity-based policy allows the dynamodb:Scan action"
    );
    assert_eq!(refused.message().unwrap(), expected);
    // The table of another service, although the action is allowed.
    let orders = service(&account, "publisher").variable("ORDERS_TABLE_NAME").unwrap();
    let put = promotion.put_item().table_name(orders).send().await.unwrap_err();
    assert_eq!(put.into_service_error().code(), Some("AccessDeniedException"));
}

#[tokio::test]
async fn an_index_needs_a_permission_of_its_own() {
    let account = account().await;
    let publisher = aws_sdk_dynamodb::Client::new(&signing_as(&account, "publisher").await);
    let table = service(&account, "publisher").variable("ORDERS_TABLE_NAME").unwrap();
    let query = |index: Option<&str>| {
        let query = publisher.query().table_name(table).set_index_name(index.map(str::to_owned));
        let query = query.key_condition_expression("outbox = :it");
        let value = aws_sdk_dynamodb::types::AttributeValue::S("0".to_owned());
        query.expression_attribute_values(":it", value).send()
    };
    query(Some("outbox")).await.unwrap();
    let refused = query(None).await.unwrap_err().into_service_error();
    let message = refused.message().unwrap();
    assert!(message.contains("dynamodb:Query on resource: "), "{message}");
    assert!(message.contains("table/pubsub-test-publisher-ordersTable because"), "{message}");
}

#[tokio::test]
async fn a_queue_is_received_from_by_its_worker_alone() {
    let account = account().await;
    let url = &service(&account, "promotion").queue.as_ref().unwrap().url;
    let as_promotion = aws_sdk_sqs::Client::new(&signing_as(&account, "promotion").await);
    as_promotion.receive_message().queue_url(url).send().await.unwrap();
    let as_fulfilment = aws_sdk_sqs::Client::new(&signing_as(&account, "fulfilment").await);
    let refused = as_fulfilment.receive_message().queue_url(url).send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 403);
    let refused = refused.into_service_error();
    assert_eq!(refused.code(), Some("AccessDenied"));
    let message = refused.message().unwrap();
    let queue = &service(&account, "promotion").queue.as_ref().unwrap().arn;
    let expected = format!(
        "is not authorized to perform: sqs:receivemessage on resource: {queue} because no \
         identity-based policy allows the sqs:receivemessage action"
    );
    assert!(message.ends_with(&expected), "{message}");
    // What a patch adds to the policy of the queue is allowed, what nothing adds is not.
    let attributes = as_promotion.get_queue_attributes().queue_url(url);
    attributes.attribute_names(QueueAttributeName::All).send().await.unwrap();
    let purge = as_promotion.purge_queue().queue_url(url).send().await.unwrap_err();
    assert_eq!(purge.into_service_error().code(), Some("AccessDenied"));
}

#[tokio::test]
async fn a_topic_is_published_to_by_its_owner_alone() {
    let account = account().await;
    let topic = service(&account, "publisher").topic_arn("ping").unwrap();
    let as_publisher = aws_sdk_sns::Client::new(&signing_as(&account, "publisher").await);
    as_publisher.publish().topic_arn(topic).message("ping").send().await.unwrap();
    let as_promotion = aws_sdk_sns::Client::new(&signing_as(&account, "promotion").await);
    let refused = as_promotion.publish().topic_arn(topic).message("ping").send().await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 403);
    let refused = refused.into_service_error();
    assert!(refused.is_authorization_error_exception(), "{refused:?}");
    let message = refused.message().unwrap();
    assert!(message.contains("not authorized to perform: SNS:Publish on resource: "), "{message}");
}

#[tokio::test]
async fn another_access_key_and_none_at_all_are_the_administrators() {
    let account = account().await;
    let table = service(&account, "promotion").variable("COUPONS_TABLE_NAME").unwrap();
    let administrator = aws_sdk_dynamodb::Client::new(&account.target.config().await);
    administrator.scan().table_name(table).send().await.unwrap();
    let scan = Client::new().post(&account.endpoint.url).json(&json!({"TableName": table}));
    let scan = scan.header("X-Amz-Target", "DynamoDB_20120810.Scan").send().await.unwrap();
    assert_eq!(scan.status(), 200);
}

#[tokio::test]
async fn sns_delivers_only_what_the_policy_of_the_queue_allows() {
    let account = account().await;
    let config = account.target.config().await;
    let (sns, sqs) = (aws_sdk_sns::Client::new(&config), aws_sdk_sqs::Client::new(&config));
    let queue = service(&account, "fulfilment").queue.clone().unwrap();
    let topic = service(&account, "publisher").topic_arn("ping").unwrap();
    let set_policy = async |policy: String| {
        let set = sqs.set_queue_attributes().queue_url(&queue.url);
        set.attributes(QueueAttributeName::Policy, policy).send().await
    };
    let statement = |effect: &str, source: &str| {
        json!({
            "Effect": effect, "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": queue.arn,
            "Condition": {"ArnLike": {"aws:SourceArn": source}}
        })
    };
    let document =
        |statements| json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let delivered = async || {
        sns.publish().topic_arn(topic).message("ping").send().await.unwrap();
        let receive = sqs.receive_message().queue_url(&queue.url).visibility_timeout(600);
        receive.send().await.unwrap().messages().len()
    };
    assert_eq!(delivered().await, 1, "by the policy that Copilot writes");
    set_policy(document(vec![statement("Allow", "arn:aws:sns:*:*:other")])).await.unwrap();
    assert_eq!(delivered().await, 0, "of another topic");
    let allow = statement("Allow", "arn:aws:sns:*:000000000000:pubsub-*-ping");
    set_policy(document(vec![allow.clone()])).await.unwrap();
    assert_eq!(delivered().await, 1, "of topics with such names");
    set_policy(document(vec![allow, statement("Deny", "*")])).await.unwrap();
    assert_eq!(delivered().await, 0, "denied");
    let refused = set_policy("{\"Statement\": []".to_owned()).await.unwrap_err();
    assert_eq!(refused.into_service_error().code(), Some("InvalidAttributeValue"));
}

#[tokio::test]
async fn a_policy_that_denies_wins_and_is_named() {
    let account = account().await;
    let queue = service(&account, "fulfilment").queue.clone().unwrap();
    let role = "pubsub-test-fulfilment-TaskRole";
    let statement = |effect: &str| {
        let role = format!("arn:aws:iam::000000000000:role/{role}");
        json!({
            "Effect": effect, "Principal": {"AWS": role}, "Action": "sqs:*", "Resource": "*"
        })
    };
    let both = [statement("Allow"), statement("Deny")];
    let policy = json!({"Version": "2012-10-17", "Statement": both}).to_string();
    account.endpoint.judge().set_policy_of(&queue.arn, &policy).unwrap();
    let sqs = aws_sdk_sqs::Client::new(&signing_as(&account, "fulfilment").await);
    let refused = sqs.receive_message().queue_url(&queue.url).send().await.unwrap_err();
    let refused = refused.into_service_error();
    let message = refused.message().unwrap();
    assert!(message.ends_with("with an explicit deny in a resource-based policy"), "{message}");
}

#[tokio::test]
async fn grants_are_used_by_the_calls_that_they_allow() {
    let account = account().await;
    let judge: &Judge = account.endpoint.judge();
    let used = || {
        let allowed = judge.allowed();
        let used = judge.grants().into_iter().filter(|grant| grant.is_used(&allowed));
        used.map(|grant| grant.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(used(), Vec::<String>::new());
    let sqs = aws_sdk_sqs::Client::new(&signing_as(&account, "fulfilment").await);
    let queue = service(&account, "fulfilment").queue.as_ref().unwrap();
    let receive = sqs.receive_message().queue_url(&queue.url).wait_time_seconds(0);
    tokio::time::timeout(Duration::from_secs(10), receive.send()).await.unwrap().unwrap();
    let grant = format!("pubsub-test-fulfilment-TaskRole: sqs:ReceiveMessage on {}", queue.arn);
    assert_eq!(used(), [grant]);
}
