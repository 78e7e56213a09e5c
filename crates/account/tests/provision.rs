//! An account made from the real files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use account::{
    endpoint::{self, Endpoint},
    provision::{Account, ENVIRONMENT, Target, provision},
};
use anyhow::Context as _;
use aws_sdk_sqs::types::QueueAttributeName;
use deployment::{copilot, description::Kind};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../copilot")
}

/// An account at an endpoint of its own, which lives as long as the account is used.
async fn account() -> anyhow::Result<(Endpoint, Target, Account)> {
    let endpoint = endpoint::start(&endpoint::Settings::loopback(0)).await?;
    let target = endpoint.target();
    let account = provision(&directory(), &target).await?;
    Ok((endpoint, target, account))
}

#[tokio::test]
async fn a_workers_topic_leads_to_the_queue_that_the_publisher_exports() {
    let (_endpoint, target, account) = account().await.unwrap();
    let topic = account.service("fulfilment").unwrap().topic_arn("orderStatus").unwrap();
    let config = target.config().await;
    let sns = aws_sdk_sns::Client::new(&config);
    let publish = sns.publish().topic_arn(topic);
    publish.message("fulfilled").send().await.unwrap();
    let url = account.service("publisher").unwrap().variable("STATUS_QUEUE_URL").unwrap();
    let sqs = aws_sdk_sqs::Client::new(&config);
    let received = sqs.receive_message().queue_url(url).send().await.unwrap();
    assert!(received.messages()[0].body().unwrap().contains("fulfilled"));
}

#[tokio::test]
async fn every_service_gets_the_variables_that_copilot_injects() {
    let (_endpoint, target, account) = account().await.unwrap();
    for service in &account.services {
        assert_eq!(service.variable("COPILOT_SERVICE_NAME").unwrap(), service.name);
        assert_eq!(service.variable("COPILOT_ENVIRONMENT_NAME").unwrap(), ENVIRONMENT);
        assert_eq!(service.variable("AWS_ENDPOINT_URL").unwrap(), target.endpoint_url);
        let arns = service.variables.get("COPILOT_SNS_TOPIC_ARNS");
        let arns: Option<BTreeMap<String, String>> =
            arns.map(|arns| serde_json::from_str(arns).unwrap());
        assert_eq!(arns.unwrap_or_default(), service.topics, "{}", service.name);
        let queue = service.queue.as_ref().filter(|_| service.kind == Kind::Worker);
        let url = service.variables.get("COPILOT_QUEUE_URI");
        assert_eq!(url, queue.map(|queue| &queue.url), "{}", service.name);
    }
}

#[tokio::test]
async fn no_service_sends_spans_to_a_sidecar_that_does_not_exist_here() {
    let (_endpoint, _, account) = account().await.unwrap();
    let deployment = copilot::read(&directory(), ENVIRONMENT).unwrap();
    for description in deployment.services.iter().filter(|it| it.has_span_collector) {
        let service = account.service(&description.name).unwrap();
        assert!(!service.variables.contains_key("OTEL_EXPORTER_OTLP_ENDPOINT"));
    }
}

/// A copy of the real files. Promotion's manifest lacks the lines from the one that contains
/// `first` up to the one that contains `last`.
fn without(first: &str, last: &str) -> anyhow::Result<tempfile::TempDir> {
    let copy = tempfile::tempdir()?;
    let status =
        Command::new("cp").arg("-R").arg(directory().join(".")).arg(copy.path()).status()?;
    assert!(status.success());
    let manifest = copy.path().join("promotion/manifest.yml");
    let text = fs::read_to_string(&manifest)?;
    let lines: Vec<_> = text.lines().collect();
    let at = |part: &str| lines.iter().position(|line| line.contains(part)).context("no such line");
    let kept = [&lines[..at(first)?], &lines[at(last)? + 1..]].concat();
    fs::write(manifest, kept.join("\n"))?;
    Ok(copy)
}

#[tokio::test]
async fn a_filter_policy_that_the_manifest_has_no_more_is_removed() -> anyhow::Result<()> {
    let (_endpoint, target, account) = account().await?;
    let queue = account.service("promotion").and_then(|it| it.queue.clone()).context("a queue")?;
    let topic = account.service("publisher").context("a publisher")?.topic_arn("ordersTopic")?;
    let copy = without("filter_policy:", "- 80")?;
    provision(copy.path(), &target).await?;
    let config = target.config().await;
    let publish = aws_sdk_sns::Client::new(&config).publish().topic_arn(topic);
    publish.message("an order of 5").send().await?;
    let sqs = aws_sdk_sqs::Client::new(&config);
    let received = sqs.receive_message().queue_url(queue.url).send().await?;
    assert_eq!(received.messages().len(), 1, "promotion still filters");
    Ok(())
}

#[tokio::test]
async fn a_setting_of_a_queue_that_the_manifest_has_no_more_gets_its_default() -> anyhow::Result<()>
{
    let (_endpoint, target, account) = account().await?;
    let queue = account.service("promotion").and_then(|it| it.queue.clone()).context("a queue")?;
    let sqs = aws_sdk_sqs::Client::new(&target.config().await);
    let timeout = async || {
        let name = QueueAttributeName::VisibilityTimeout;
        let read = sqs.get_queue_attributes().queue_url(&queue.url).attribute_names(name.clone());
        let attributes = read.send().await?.attributes.unwrap_or_default();
        anyhow::Ok(attributes.get(&name).cloned().unwrap_or_default())
    };
    assert_eq!(timeout().await?, "60");
    let copy = without("timeout: 60s", "timeout: 60s")?;
    provision(copy.path(), &target).await?;
    assert_eq!(timeout().await?, "30", "the default of SQS");
    Ok(())
}

#[tokio::test]
async fn a_missing_topic_or_variable_is_named_with_its_service() {
    let (_endpoint, _, account) = account().await.unwrap();
    let publisher = account.service("publisher").unwrap();
    let error = publisher.topic_arn("invoices").unwrap_err().to_string();
    assert_eq!(error, "publisher has no topic invoices");
    let error = publisher.variable("INVOICES_TABLE_NAME").unwrap_err().to_string();
    assert_eq!(error, "publisher has no variable INVOICES_TABLE_NAME");
}
