//! An order that SNS took and no queue got is announced again, until it is fulfilled.

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sns::types::Subscription;
use local::build;
use serde_json::Value;
use tokio::process::Command;

mod test_system;

use test_system::TestSystem;

type Outcome = anyhow::Result<()>;

/// The subscription of fulfilment's queue to the orders.
async fn subscription(test: &TestSystem) -> anyhow::Result<Subscription> {
    let subscriptions = aws_sdk_sns::Client::new(&test.aws).list_subscriptions().send().await?;
    let mut subscriptions = subscriptions.subscriptions.unwrap_or_default().into_iter();
    let is_it = |it: &Subscription| {
        let endpoint = it.endpoint().unwrap_or_default();
        it.topic_arn().unwrap_or_default().ends_with("ordersTopic")
            && endpoint.contains("fulfilment")
    };
    subscriptions.find(is_it).context("fulfilment is not subscribed")
}

/// What `local outbox` prints.
async fn outbox(test: &TestSystem) -> anyhow::Result<Value> {
    let mut command = Command::new(build::binary(&build::binaries().await?, "local")?);
    command.args(["outbox", "--json", "--older-than", "0"]);
    command.env("AWS_ENDPOINT_URL", &test.system.target.endpoint_url);
    Ok(serde_json::from_slice(&command.output().await?.stdout)?)
}

/// Lets minutes pass for an order that was announced: it is due to be looked at.
async fn pass_minutes(test: &TestSystem, id: &str) -> Outcome {
    let update = aws_sdk_dynamodb::Client::new(&test.aws).update_item();
    let update = update
        .table_name(test.variable("publisher", "ORDERS_TABLE_NAME")?)
        .key("id", AttributeValue::S(id.to_owned()))
        .update_expression("SET outbox_due = :past, announced_at = :past")
        .expression_attribute_values(":past", AttributeValue::N("1".to_owned()));
    update.send().await?;
    Ok(())
}

#[tokio::test]
async fn orders_announced_while_a_subscription_was_missing_are_fulfilled_after_it_is_back()
-> Outcome {
    const ORDERS: usize = 20;
    let test = TestSystem::start().await?;
    let sns = aws_sdk_sns::Client::new(&test.aws);
    let subscribed = subscription(&test).await?;
    let arn = subscribed.subscription_arn().context("no ARN")?;
    let attributes = sns.get_subscription_attributes().subscription_arn(arn).send().await?;
    sns.unsubscribe().subscription_arn(arn).send().await?;

    let mut lost = Vec::new();
    for _ in 0..ORDERS {
        lost.push(test.order("Ada Lovelace", "50").await?);
    }
    for id in &lost {
        test.see_until(id, |order| order["state"] == "announced").await?;
    }
    let listed = outbox(&test).await?;
    let listed = listed.as_array().context("not a list")?;
    assert_eq!(listed.len(), ORDERS, "{listed:?}");
    for order in listed {
        assert!(lost.iter().any(|id| order["id"] == **id), "{order}");
        assert_eq!((&order["announcements"], &order["refused"]), (&1.into(), &Value::Null));
    }

    let raw = attributes.attributes.unwrap_or_default().remove("RawMessageDelivery");
    sns.subscribe()
        .topic_arn(subscribed.topic_arn().context("no topic")?)
        .protocol("sqs")
        .endpoint(subscribed.endpoint().context("no endpoint")?)
        .set_attributes(raw.map(|raw| [("RawMessageDelivery".to_owned(), raw)].into()))
        .send()
        .await?;
    for id in &lost {
        pass_minutes(&test, id).await?;
    }
    let later = test.order("Grace Hopper", "50").await?;
    test.see_until(&later, |order| order["is_done"] == true).await?;
    for id in &lost {
        test.see_until(id, |order| order["is_done"] == true).await?;
    }
    assert_eq!(outbox(&test).await?, Value::Array(Vec::new()));
    assert_eq!(test.lines("publisher", "announced again").len(), ORDERS);
    test.system.stop().await
}
