//! What there is in an account, by name.

use std::collections::BTreeSet;

use anyhow::Context as _;
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_sns::Client as Sns;
use aws_sdk_sqs::Client as Sqs;

/// The names of all tables, topics and queues of an account with few of them.
///
/// # Errors
///
/// If the endpoint does not answer.
pub async fn names(dynamodb: &DynamoDb, sns: &Sns, sqs: &Sqs) -> anyhow::Result<BTreeSet<String>> {
    let (tables, topics, queues) = tokio::join!(
        dynamodb.list_tables().send(),
        sns.list_topics().send(),
        sqs.list_queues().send(),
    );
    let tables = tables.context("listing the tables")?.table_names;
    let topics = topics.context("listing the topics")?.topics.unwrap_or_default();
    let queues = queues.context("listing the queues")?.queue_urls;
    let mut names: BTreeSet<_> = tables.unwrap_or_default().into_iter().collect();
    let topics = topics.into_iter().filter_map(|it| it.topic_arn);
    names.extend(topics.map(|arn| last(&arn, ':')));
    names.extend(queues.unwrap_or_default().iter().map(|url| last(url, '/')));
    Ok(names)
}

fn last(text: &str, separator: char) -> String {
    text.rsplit(separator).next().unwrap_or_default().to_owned()
}
