//! What a test of a handler sees, for every way in which a handler can end.

use std::time::Duration;

use anyhow::anyhow;
use tokio::time::sleep;

use super::*;
use crate::subscribe::Json;

/// Does what the message says.
async fn obey(Json(order): Json<String>, notification: Notification) -> Result<(), Failure> {
    match order.as_str() {
        "succeed" => Ok(()),
        "succeed at the second attempt" if notification.attempt == 2 => Ok(()),
        "panic" => panic!("as the message says"),
        "hang" => {
            sleep(Duration::from_secs(3_600)).await;
            Ok(())
        }
        "never succeed" => Err(Failure::Poison(anyhow!("impossible"))),
        _ => Err(Failure::Retry(anyhow!("not now"))),
    }
}

async fn check(order: &str, attempts: Vec<Attempt>, acknowledged: bool) {
    let worker = TestAccount::default().start(obey).await;
    let delivered = worker.deliver(message(&json!(order).to_string())).await;
    assert_eq!(delivered, Delivered { attempts, acknowledged }, "{order}");
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_seen_and_whether_the_message_was_deleted() {
    let retry = || Attempt::Retry("not now".to_owned());
    check("succeed", vec![Attempt::Succeeded], true).await;
    check("succeed at the second attempt", vec![retry(), Attempt::Succeeded], true).await;
    check("fail", vec![retry(), retry(), retry()], false).await;
    check("panic", vec![Attempt::Aborted; 3], false).await;
    check("hang", vec![Attempt::Aborted; 3], false).await;
    check("never succeed", vec![Attempt::Poison("impossible".to_owned())], false).await;
}

#[tokio::test(start_paused = true)]
async fn messages_that_wait_together_are_told_apart() {
    let worker = TestAccount::default().start(obey).await;
    let [good, bad] = ["succeed", "never succeed"].map(|order| message(&json!(order).to_string()));
    let (good, bad) = tokio::join!(worker.deliver(good), worker.deliver(bad));
    assert_eq!((good.acknowledged, bad.acknowledged), (true, false));
    assert_eq!(good.attempts, [Attempt::Succeeded]);
    assert_eq!(bad.attempts, [Attempt::Poison("impossible".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_publishes_is_seen_by_topic_and_in_order() {
    let account = TestAccount::default();
    let topic = account.topic("answers");
    let answer = move |question: String, received: Notification| {
        let topic = topic.clone();
        async move {
            for text in ["first", "second"] {
                let kind = Attribute::Text(question.clone() + &received.attributes["n"]);
                let kind = ("kind", kind);
                let answer = Message { attributes: vec![kind], ..message(text) };
                topic.publish(answer).await?;
            }
            Ok(())
        }
    };
    let worker = account.start(answer).await;
    assert_eq!(account.published("answers"), []);
    let asked = Message { attributes: vec![("n", Attribute::Number("7".into()))], ..message("q") };
    let delivered = worker.deliver(asked).await;
    assert_eq!(delivered.attempts, [Attempt::Succeeded]);
    let published = account.published("answers");
    let texts: Vec<_> = published.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(texts, ["first", "second"]);
    assert!(published.iter().all(|it| it.attributes["kind"] == "q7"), "{published:?}");
    assert_eq!(account.published("questions"), []);
}

#[tokio::test(start_paused = true)]
async fn a_request_to_sns_can_fail_and_the_next_one_succeeds() {
    let account = TestAccount::default();
    let topic = account.topic("answers");
    // The client sends a request up to three times.
    account.fail_publishing(3);
    assert!(topic.publish(message("lost")).await.is_err());
    topic.publish(message("seen")).await.unwrap();
    account.fail_publishing(2);
    topic.publish(message("retried")).await.unwrap();
    let texts: Vec<_> = account.published("answers").into_iter().map(|it| it.message).collect();
    assert_eq!(texts, ["seen", "retried"]);
}
