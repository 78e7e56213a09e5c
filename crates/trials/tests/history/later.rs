//! A subscriber that came later, or was away, catches up on the past.

use std::{fs, path::Path};

use account::provision::{self, Account};
use anyhow::Context as _;
use local::build;
use orders::{
    event::Event,
    report::{Attachment, Reporter, STATUS_TOPIC},
};
use pubsub::{
    notification::Notification,
    subscribe::{Failure, Handler, Settings, subscribe},
    topic::Topic,
};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    Outcome, all_is_handled, copy_of_the_files, count, json, kept_until, place,
    test_system::TestSystem,
};

#[tokio::test]
async fn a_subscriber_that_lost_its_subscription_catches_up() -> Outcome {
    let test = TestSystem::start().await?;
    let sns = aws_sdk_sns::Client::new(&test.aws);
    let queue = test.queue("promotion")?.arn;
    let subscriptions = sns.list_subscriptions().send().await?.subscriptions.unwrap_or_default();
    let own = subscriptions.into_iter().find(|it| it.endpoint() == Some(&queue));
    let own = own.context("promotion is not subscribed")?;
    let arn = own.subscription_arn().context("no ARN")?;
    let attributes = sns.get_subscription_attributes().subscription_arn(arn).send().await?;
    let policy = attributes.attributes.unwrap_or_default().remove("FilterPolicy");
    sns.unsubscribe().subscription_arn(arn).send().await?;
    let ids = place(&test, &["50", "120", "200"]).await?;
    kept_until(&test, |types| count(types, "order.placed") >= 3).await?;
    assert_eq!(test.items("promotion", "COUPONS_TABLE_NAME").await?.len(), 0);

    let topic = own.topic_arn().context("no topic")?;
    let subscribe = sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(&queue);
    let policy = policy.context("no filter policy")?;
    subscribe.attributes("FilterPolicy", policy).send().await?;
    let replayed = json(&test, &["replay", "--to", "promotion", "--from", "1h"]).await?;
    assert!(replayed["filtered"].as_u64() >= Some(1), "{replayed}");
    for id in &ids[1..] {
        let order = test.see_until(id, |order| order.to_string().contains("granted")).await?;
        assert!(order.to_string().contains("20 % off your next order"), "{order}");
    }
    let coupons = test.items("promotion", "COUPONS_TABLE_NAME").await?;
    assert_eq!(coupons.len(), 2, "{coupons:?}");
    test.system.stop().await
}

/// Adds the files of invoice, the subscriber that step 8 of the workshop adds.
fn add_invoice(copilot: &Path) -> Outcome {
    let step = build::copilot_directory().with_file_name("docs/workshop/08-a-third-subscriber.md");
    let step = fs::read_to_string(&step).with_context(|| step.display().to_string())?;
    let manifest = step.split_once("```yaml file=copilot/invoice/manifest.yml\n");
    let manifest = manifest.and_then(|(_, rest)| rest.split_once("```"));
    let (manifest, _) = manifest.context("the step has no manifest")?;
    let (promotion, invoice) = (copilot.join("promotion"), copilot.join("invoice"));
    for file in ["addons/statusSubscription.yml", "addons/addons.parameters.yml", PATCHES] {
        let text = fs::read_to_string(promotion.join(file))?;
        let copy = invoice.join(file);
        fs::create_dir_all(copy.parent().context("it is in a folder")?)?;
        fs::write(copy, text.replace("promotion", "invoice"))?;
    }
    fs::write(invoice.join("manifest.yml"), manifest)?;
    let pipeline = copilot.join("pipelines/pubsub-main/manifest.yml");
    let stages = fs::read_to_string(&pipeline)?;
    fs::write(pipeline, stages + "      invoice:\n        depends_on: [publisher]\n")?;
    Ok(())
}

const PATCHES: &str = "overrides/cfn.patches.yml";

/// Reports the end of an order's id as the number of its invoice, as the handler of step 8 does.
struct Invoicing(Reporter);

impl Handler<Event> for Invoicing {
    async fn handle(&self, event: Event, notification: Notification) -> Result<(), Failure> {
        let Event::OrderPlaced(order) = event else { return Ok(()) };
        let number = Some(number(&order.id.to_string()));
        let attachment = Attachment { label: "Your invoice".to_owned(), code: number, link: None };
        let progress = self.0.begin(&order, &notification);
        Ok(progress.done("written", vec![attachment]).await?)
    }
}

fn number(id: &str) -> String {
    format!("INV-{}", id[id.len() - 12..].to_uppercase())
}

/// Runs invoice with the rights of its role until the returned set is dropped.
async fn invoice(test: &TestSystem, account: &Account) -> anyhow::Result<JoinSet<Outcome>> {
    let service = account.service("invoice").context("there is no invoice")?;
    let aws = test.system.target.config_of(service).await;
    let topic = Topic::new(&aws, service.topic_arn(STATUS_TOPIC)?.to_owned());
    let handler = Invoicing(Reporter::new("invoice", topic));
    let queue = service.queue.as_ref().context("invoice has no queue")?;
    let settings = Settings::new(queue.url.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { subscribe(&aws, settings, CancellationToken::new(), handler).await });
    Ok(tasks)
}

#[tokio::test]
async fn a_new_subscriber_catches_up_on_orders_that_are_older_than_itself() -> Outcome {
    let mut test = TestSystem::start().await?;
    let ids = place(&test, &["50", "120", "200"]).await?;
    kept_until(&test, |types| count(types, "order.placed") >= 3).await?;

    let directory = tempfile::tempdir()?;
    let copilot = copy_of_the_files(directory.path())?;
    add_invoice(&copilot)?;
    let account = provision::provision(&copilot, &test.system.target).await?;
    test.contract.know(&account);
    let _running = invoice(&test, &account).await?;
    all_is_handled(&test).await?;
    let before = test.see(&ids[0]).await?;
    assert!(!before.to_string().contains("invoice"), "{before}");

    let files = copilot.to_str().context("no path")?;
    let select = ["replay", "--to", "invoice", "--from", "1h", "--type", "order.placed"];
    let select = [select.as_slice(), &["--files", files]].concat();
    let sent = json(&test, &select).await?;
    assert!(sent["sent"].as_u64() >= Some(3), "{sent}");
    let has_invoice = |id: &str, order: &Value| order.to_string().contains(&number(id));
    for id in &ids {
        test.see_until(id, |order| has_invoice(id, order)).await?;
    }
    let caught_up = see_all(&test, &ids).await?;
    json(&test, &select).await?;
    // The order that comes now, the usual way, is behind them in the queue.
    let id = test.order("Ada Lovelace", "42").await?;
    test.see_until(&id, |order| has_invoice(&id, order)).await?;
    all_is_handled(&test).await?;
    assert_eq!(see_all(&test, &ids).await?, caught_up);
    test.system.stop().await
}

async fn see_all(test: &TestSystem, ids: &[String]) -> anyhow::Result<Vec<Value>> {
    let mut orders = Vec::new();
    for id in ids {
        orders.push(test.see(id).await?);
    }
    Ok(orders)
}
