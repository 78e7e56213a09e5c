//! What is stored, and what is announced.

use std::time::Duration;

use aws_sdk_sqs::types::{Message, QueueAttributeName};
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::*;

#[tokio::test]
async fn either_secret_signs_while_one_replaces_the_other_and_so_do_several_signatures() {
    let site = Site::start().await;
    let old = Sent::signed(OLD, "msg_2", BODY);
    let unknown = Sent::signed(OTHER, "msg_3", BODY);
    let both = format!("v1a,{} {} v1,AAAA", "A".repeat(88), unknown.value(SIGNATURE));
    let genuine = Sent::signed(NEW, "msg_3", BODY);
    let both = format!("{both} {}", genuine.value(SIGNATURE));
    for sent in [Sent::genuine(), old, genuine.with(SIGNATURE, &both)] {
        let answer = site.send(&sent).await;
        assert_eq!(answer, (StatusCode::ACCEPTED, String::new()));
    }
    let items = site.items().await;
    let ids: HashSet<_> = items.iter().map(|item| item["id"].as_s().unwrap().as_str()).collect();
    assert_eq!(ids, ["payments/msg_1", "payments/msg_2", "payments/msg_3"].into());
    let body: HashSet<_> = items.iter().map(|item| item["body"].as_s().unwrap()).collect();
    assert_eq!(body, [&BODY.to_owned()].into());
    let due = Timestamp::now().as_second() + 29 * 24 * 60 * 60;
    for item in &items {
        assert!(item["expires_at"].as_n().unwrap().parse::<i64>().unwrap() > due, "{item:?}");
        assert!(item.contains_key("outbox_due"), "{item:?}");
    }
}

#[tokio::test]
async fn an_id_is_stored_once_for_each_source_and_its_first_body_counts() {
    let mut site = Site::start().await;
    let again = Sent::signed_at(Timestamp::now().as_second() - 9, OLD, "msg_1", BODY);
    let other = Sent::signed(NEW, "msg_1", r#"{"type":"payment.failed"}"#);
    for sent in [Sent::genuine(), Sent::genuine(), again, other] {
        let answer = site.send(&sent).await;
        assert_eq!(answer, (StatusCode::ACCEPTED, String::new()));
    }
    let of_shipping = Sent::signed(OTHER, "msg_1", r#"{"type":"parcel.sent"}"#);
    assert_eq!(site.send(&of_shipping.to("/webhooks/shipping")).await.0, StatusCode::ACCEPTED);
    let stored = site.items().await;
    let mut stored: Vec<_> = stored.iter().map(|it| it["body"].as_s().unwrap()).collect();
    stored.sort();
    assert_eq!(stored, [r#"{"type":"parcel.sent"}"#, BODY]);
    let waiting = &mut site.webhooks.waiting;
    assert_eq!([waiting.try_recv().is_ok(), waiting.try_recv().is_ok()], [true, true]);
    assert!(waiting.try_recv().is_err(), "it would be announced again");
}

#[tokio::test]
async fn a_webhook_is_announced_as_it_came_with_its_type_and_its_source_and_leaves_the_outbox() {
    let site = Site::start().await;
    let queue = queue_on_the_topic(&site.account).await;
    let body = "{ \"type\" : \"parcel.sent\",\n\t\"text\": \"\\u00e4 \u{1f4e6}\" }";
    let sent = Sent::signed(OTHER, "msg_1", body).to("/webhooks/shipping");
    let sent = sent.with("content-type", "application/json; charset=utf-8");
    assert_eq!(site.send(&sent).await.0, StatusCode::ACCEPTED);

    let Site { webhooks, table, dynamodb, account } = site;
    let shutdown = CancellationToken::new();
    let announcing = tokio::spawn(webhooks.announce(shutdown.clone(), shutdown.clone()));
    let message = received(&account, &queue).await;
    let envelope: Value = serde_json::from_str(message.body().unwrap()).unwrap();
    assert_eq!(envelope["Message"], body);
    let attribute = |name: &str| envelope["MessageAttributes"][name]["Value"].clone();
    let attributes = ["event_type", "source", "webhook_id"].map(attribute);
    assert_eq!(attributes, ["parcel.sent", "shipping", "msg_1"]);
    shutdown.cancel();
    announcing.await.unwrap();
    let item = dynamodb.scan().table_name(&table).send().await.unwrap().items.unwrap().remove(0);
    assert!(!item.contains_key("outbox") && item.contains_key("announced_at"), "{item:?}");
}

/// A queue that gets everything of the topic.
async fn queue_on_the_topic(account: &EmbeddedAccount) -> String {
    let aws = account.target.config().await;
    let publisher = account.account.service("publisher").unwrap();
    let topic = publisher.topic_arn("webhooksTopic").unwrap();
    let arn = topic.replace(":sns:", ":sqs:").rsplit_once(':').unwrap().0.to_owned() + ":all";
    let statement = json!({ "Effect": "Allow", "Principal": { "Service": "sns.amazonaws.com" },
        "Action": "sqs:SendMessage", "Resource": arn });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let create = aws_sdk_sqs::Client::new(&aws).create_queue().queue_name("all");
    let queue = create.attributes(QueueAttributeName::Policy, policy).send().await;
    let subscribe = aws_sdk_sns::Client::new(&aws).subscribe().topic_arn(topic).protocol("sqs");
    subscribe.endpoint(arn).send().await.unwrap();
    queue.unwrap().queue_url.unwrap()
}

async fn received(account: &EmbeddedAccount, queue: &str) -> Message {
    let sqs = aws_sdk_sqs::Client::new(&account.target.config().await);
    let received = async {
        loop {
            let receive = sqs.receive_message().queue_url(queue).send().await.unwrap();
            if let Some(message) = receive.messages.unwrap_or_default().pop() {
                return message;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), received).await.unwrap()
}
